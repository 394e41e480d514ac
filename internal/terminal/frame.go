package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// frame is a scene as a terminal of so many columns and lines shows it. 0 is no limit.
func (s scene) frame(width, height int, p paint) string {
	lines := []string{p.as(bold, fmt.Sprintf("%s on %s", s.Namespace, strings.Join(s.Clusters, ", "))) + p.as(faint, "   "+s.Now.UTC().Format("15:04:05Z")+"   q ends, and changes nothing")}
	for _, one := range s.Unread {
		lines = append(lines, p.as(red, fmt.Sprintf("Without cluster %s: %s", one.Cluster, oneLine(one.Reason))))
	}
	for _, note := range s.Notes {
		lines = append(lines, p.as(yellow, oneLine(note)))
	}
	if len(s.Apps) == 0 {
		lines = append(lines, "", "There are no applications.")
	}
	for _, app := range s.Apps {
		lines = append(append(lines, ""), app.frame(s.Now, len(s.Clusters) > 1, width, p)...)
	}
	if len(s.Events) > 0 {
		lines = append(lines, "", p.as(bold, "events"))
	}
	for _, e := range s.Events {
		style := faint
		if e.Type == diagnose.EventWarning {
			style = yellow
		}
		where := ""
		if len(s.Clusters) > 1 {
			where = e.Cluster + " "
		}
		lines = append(lines, p.as(style, fmt.Sprintf("  %4s  %s%s %s: %s", age(e.LastSeen, s.Now), where, e.Reason, e.Object, oneLine(e.Message))))
	}
	if height > 0 && len(lines) > height {
		hidden := len(lines) - height + 1
		lines = append(lines[:height-1], p.as(faint, fmt.Sprintf("… %d more lines: a larger terminal shows them, and so does naming fewer applications", hidden)))
	}
	for i, line := range lines {
		if width > 0 {
			lines[i] = ansi.Truncate(line, width, "…")
		}
	}
	return strings.Join(lines, "\n")
}

// frame is one application, in so many columns.
func (a watched) frame(now time.Time, several bool, width int, p paint) []string {
	style := green
	if len(a.Problems) > 0 {
		style = yellow
	}
	head := p.as(bold, a.Name) + "  " + p.as(style, string(a.Status))
	if a.Promotion != "" {
		head += "  " + string(a.Promotion)
	}
	lines := []string{head}
	name, version := 0, 0
	for _, r := range a.Releases {
		name, version = max(name, len(r.label(several))), max(version, len(r.Version))
	}
	narrow := width > 0 && name+version+barWidth+40 > width
	for _, r := range a.Releases {
		line := fmt.Sprintf("  %-*s  %-*s  %-9s  %s %3d%%  %d/%d pods", name, r.label(several), version, r.Version, r.Role, bar(r.Share, p), r.Share, r.Ready, r.Pods)
		if narrow { // the figures first: what comes last is cut off
			line = fmt.Sprintf("  %-*s %3d%%  %d/%d pods  %s  %s", name, r.label(several), r.Share, r.Ready, r.Pods, r.Role, r.Version)
		}
		if r.Status != release.StatusStarted && r.Status != release.StatusStopped {
			line += "  " + p.as(yellow, string(r.Status))
		}
		lines = append(lines, line)
	}
	for _, m := range a.Moves {
		lines = append(lines, m.frame(a.Since, now, p)...)
	}
	for _, problem := range a.Problems {
		lines = append(lines, "  "+p.as(yellow, oneLine(problem)))
	}
	return lines
}

// label is a release's name, with its cluster where there are several.
func (r Release) label(several bool) string {
	if several {
		return r.Cluster + "/" + r.Name
	}
	return r.Name
}

// frame is a promotion with its steps, of which each share has a bar.
func (m move) frame(begun, now time.Time, p paint) []string {
	rest, waits := m.left(now)
	text := fmt.Sprintf("  %s%s -> %s: %s; %s", m.where(), release.OrNothing(m.From), m.To, m.doing(), duration.HumanDuration(max(0, now.Sub(begun)))+" so far")
	switch {
	case m.Direction != release.DirectionForward:
	case waits && rest > 0:
		text += fmt.Sprintf(", at most %s of pauses to come, and until somebody lets it go on", duration.HumanDuration(rest))
	case waits:
		text += ", and until somebody lets it go on"
	case rest > 0:
		text += fmt.Sprintf(", at most %s of pauses to come", duration.HumanDuration(rest))
	}
	lines := []string{text}
	for i, step := range m.Steps {
		mark, style := "  ", faint
		switch {
		case i < m.At:
			mark, style = "ok", green
		case i == m.At:
			mark, style = "->", bold
		}
		line := fmt.Sprintf("  %s %-18s", mark, step)
		if step.Kind == release.StepShift && step.Mirror == 0 {
			line += " " + bar(step.Weight, false)
		}
		lines = append(lines, p.as(style, strings.TrimRight(line, " ")))
	}
	return lines
}

// barWidth is how many columns all of the traffic has.
const barWidth = 20

// bar is a percentage.
func bar(percent int, p paint) string {
	full := (percent*barWidth + 50) / 100
	if percent > 0 {
		full = max(1, full)
	}
	return p.as(cyan, strings.Repeat("█", full)) + p.as(faint, strings.Repeat("░", barWidth-full))
}

// oneLine is a text without line breaks.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

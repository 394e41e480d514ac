// Command plot draws lines: what a load test saw over time, and what happened when;
// or, on logarithmic axes, what a benchmark measured.
//
//	plot -title TEXT -x TEXT -y TEXT [-log] -out FILE.svg   comma-separated values on standard input
//
// Each record is one of
//
//	point,X,NAME OF THE LINE,Y
//	mark,X,TEXT
package main

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	_ "gonum.org/v1/plot/vg/vgsvg" // the format
)

const (
	width  = 28 * vg.Centimeter
	height = 13 * vg.Centimeter
)

func main() {
	title := flag.String("title", "", "what is drawn")
	x := flag.String("x", "seconds", "what the horizontal axis is")
	y := flag.String("y", "answers a second", "what the vertical axis is")
	logarithmic := flag.Bool("log", false, "axes are logarithmic")
	out := flag.String("out", "", "the `file` to write")
	flag.Parse()
	if err := run(os.Stdin, look{*title, *x, *y, *logarithmic}, *out); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

// look is what a plot has beside its lines.
type look struct {
	title, x, y string
	logarithmic bool
}

func run(in io.Reader, l look, out string) error {
	d, err := parse(in)
	if err != nil {
		return err
	}
	p, err := d.plot(l)
	if err != nil {
		return err
	}
	image, err := p.WriterTo(width, height, "svg")
	if err != nil {
		return err
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	_, err = image.WriteTo(file)
	return errors.Join(err, file.Close())
}

type data struct {
	names []string // of the lines, as they came
	lines map[string]plotter.XYs
	marks []mark
}

type mark struct {
	at   float64
	text string
}

func parse(in io.Reader) (data, error) {
	d := data{lines: map[string]plotter.XYs{}}
	reader := csv.NewReader(in)
	reader.FieldsPerRecord = -1
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		if err != nil {
			return d, err
		}
		if err := d.add(record); err != nil {
			return d, fmt.Errorf("%q: %w", record, err)
		}
	}
}

func (d *data) add(record []string) error {
	if len(record) < 3 {
		return errors.New("too few fields")
	}
	at, err := strconv.ParseFloat(record[1], 64)
	if err != nil {
		return err
	}
	switch {
	case record[0] == "mark":
		d.marks = append(d.marks, mark{at, record[2]})
		return nil
	case record[0] == "point" && len(record) == 4:
		value, err := strconv.ParseFloat(record[3], 64)
		if err != nil {
			return err
		}
		name := record[2]
		if _, ok := d.lines[name]; !ok {
			d.names = append(d.names, name)
		}
		d.lines[name] = append(d.lines[name], plotter.XY{X: at, Y: value})
		return nil
	default:
		return errors.New("neither a point nor a mark")
	}
}

// colors are told apart by people who see colours differently, too (Okabe and
// Ito).
var colors = []color.Color{
	color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
	color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}, color.RGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff},
	color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, color.RGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
	color.RGBA{A: 0xff},
}

func (d *data) plot(l look) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = l.title, l.x, l.y
	p.Legend.Top, p.Legend.Left = true, false
	p.Add(plotter.NewGrid())
	top := 0.0
	for i, name := range d.names {
		line, err := plotter.NewLine(d.lines[name])
		if err != nil {
			return nil, err
		}
		line.Color = colors[i%len(colors)]
		line.Width = vg.Points(1.2)
		p.Add(line)
		p.Legend.Add(name, line)
		for _, point := range d.lines[name] {
			top = max(top, point.Y)
		}
	}
	if l.logarithmic {
		p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
		p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
		p.Legend.Left = true
		// Whole decades, of which there is always one.
		p.X.Min, p.X.Max = decades(p.X.Min, p.X.Max)
		p.Y.Min, p.Y.Max = decades(p.Y.Min, p.Y.Max)
		return p, nil
	}
	// Room for what happened, above the lines, and for the legend beside them.
	p.Y.Min, p.Y.Max = 0, max(1, top*1.4)
	p.X.Max *= 1.25
	p.X.Tick.Marker = plot.TickerFunc(seconds)
	for i, m := range d.marks {
		if err := m.add(p, i); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// decades are the powers of ten around what is drawn.
func decades(least, most float64) (from, to float64) {
	from = math.Pow(10, math.Floor(math.Log10(least)))
	return from, max(from*10, math.Pow(10, math.Ceil(math.Log10(most))))
}

// seconds has a tick every five seconds.
func seconds(from, to float64) []plot.Tick {
	var ticks []plot.Tick
	for at := 0; float64(at) <= to; at += 5 {
		if float64(at) >= from {
			ticks = append(ticks, plot.Tick{Value: float64(at), Label: strconv.Itoa(at)})
		}
	}
	return ticks
}

// add draws a vertical line with its text, which steps down so that neighbours
// do not overlap.
func (m mark) add(p *plot.Plot, number int) error {
	line, err := plotter.NewLine(plotter.XYs{{X: m.at, Y: 0}, {X: m.at, Y: p.Y.Max}})
	if err != nil {
		return err
	}
	line.Color = color.Gray{Y: 0x80}
	line.Dashes = []vg.Length{vg.Points(3), vg.Points(3)}
	const steps = 5
	labels, err := plotter.NewLabels(plotter.XYLabels{
		XYs:    plotter.XYs{{X: m.at, Y: p.Y.Max * (0.97 - 0.045*float64(number%steps))}},
		Labels: []string{m.text},
	})
	if err != nil {
		return err
	}
	labels.Offset = vg.Point{X: vg.Points(3)}
	for i := range labels.TextStyle {
		labels.TextStyle[i] = text.Style{Font: labels.TextStyle[i].Font, Color: color.Black, YAlign: draw.YCenter, Handler: labels.TextStyle[i].Handler}
		labels.TextStyle[i].Font.Size = vg.Points(8)
	}
	p.Add(line, labels)
	return nil
}

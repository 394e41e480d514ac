package mask

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Parts of the patterns below.
const (
	// secretKey ends the name of something that holds a credential.
	secretKey = `(?:passw(?:or)?d|passwd|passphrase|pwd|(?:[_.-]|\b)pass|secret|token|api[_-]?key|secret[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|` +
		`signing[_-]?key|encryption[_-]?key|master[_-]?key|account[_-]?key|shared[_-]?access[_-]?(?:key|signature)|client[_-]key[_-]data|(?:[_.-]|\b)auth|` +
		`connection[_-]?string|session[_-]?(?:id|key)|credentials?)`
	// quotation is how far a value in quotes goes, also one whose end was cut off,
	// and one that is quoted within another text.
	quotation = `\\+"(?:[^"\\\n]|\\[^"\n])*(?:\\*"|$)|\\+'(?:[^'\\\n]|\\[^'\n])*(?:\\*'|$)|"(?:[^"\\\n]|\\.)*(?:"|$)|'(?:[^'\\\n]|\\.)*(?:'|$)|` + "`[^`\n]*(?:`|$)"
	value     = `(` + quotation + `|[^\s,;&"'<>]+)`
	assigns   = `\\*["']?\s*(?:=>|:=|[=:]|%3[AaDd])\s*`
)

// signsOfKeys are in every text that has a secretKey.
var signsOfKeys = []string{"pass", "pwd", "secret", "token", "key", "signature", "auth", "credential", "connection", "session"}

// masks are tried in this order: whole things first, then what stands in them.
var masks = []mask{
	{"private key", []string{"private key"}, regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----`), hidden, nil},
	{"beginning of a private key", []string{"private key"}, regexp.MustCompile(`(?m)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:(?:\\r)?\\n[A-Za-z0-9+/=]*|\r?\n[ \t]*(?:[A-Za-z0-9+/=]*|(?:Proc-Type|DEK-Info|Version|Comment): [^\n\\]*)\r?$)*`), hidden, nil},
	{"end of a private key", []string{"private key"}, regexp.MustCompile(`(?m)(?:^[ \t]*[A-Za-z0-9+/=]{4,80}[ \t]*\r?\n)*[ \t]*-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----`), hidden, nil},

	{"URL with a login", []string{"://"}, regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)([^\s/"'<>]+)(@)`), "", nil},
	{"login of a database's address", []string{"@tcp(", "@unix(", "@udp("}, regexp.MustCompile(`(\b[\w.-]+:)([^\s"'/]+)(@(?:tcp|unix|udp)\()`), "", nil},
	{"webhook", []string{"hooks.slack.com/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/"}, regexp.MustCompile(`((?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/webhooks)/)([A-Za-z0-9/_-]+)`), "", nil},
	{"signed URL", []string{"sig", "credential", "security-token", "key=", "code=", "auth="},
		regexp.MustCompile(`(?i)([?&;](?:amp;)?(?:sig|signature|(?:x-amz-|x-goog-|x-oss-|q-)(?:signature|credential|security-token)|key-pair-id|policy|key|auth|code|client_secret)=)([^\s&"'<>]{8,})`), "", nil},

	{"AWS key id", []string{"akia", "asia", "aroa", "aida", "agpa"}, regexp.MustCompile(`\b(?:AKIA|ASIA|AROA|AIDA|AGPA)[A-Z0-9]{16}\b`), hidden, nil},
	{"Google API key", []string{"aiza"}, regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`), hidden, nil},
	{"Google OAuth token", []string{"ya29.", "gocspx-"}, regexp.MustCompile(`\b(?:ya29\.[0-9A-Za-z_-]{10,}|GOCSPX-[0-9A-Za-z_-]{16,})`), hidden, nil},
	{"Azure client secret", []string{"q~"}, regexp.MustCompile(`\b[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}`), hidden, nil},
	{"GitHub token", []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})`), hidden, nil},
	{"GitLab token", []string{"glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "gloas-", "glft-", "glsoat-", "glagent-", "glimt-"},
		regexp.MustCompile(`\bgl(?:pat|dt|rt|cbt|ptt|oas|ft|soat|agent|imt)-[A-Za-z0-9_.-]{16,}`), hidden, nil},
	{"Slack token", []string{"xox", "xapp-"}, regexp.MustCompile(`\b(?:xox[abeprs]|xapp)-[A-Za-z0-9-]{8,}`), hidden, nil},
	{"Stripe key", []string{"k_live_", "k_test_", "whsec_"}, regexp.MustCompile(`\b(?:[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9+/=]{10,}`), hidden, nil},
	{"npm token", []string{"npm_"}, regexp.MustCompile(`\bnpm_[A-Za-z0-9]{30,}`), hidden, nil},
	{"PyPI token", []string{"pypi-"}, regexp.MustCompile(`\bpypi-[A-Za-z0-9_-]{30,}`), hidden, nil},
	{"Docker token", []string{"dckr_"}, regexp.MustCompile(`\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{16,}`), hidden, nil},
	{"OpenAI or Anthropic key", []string{"sk-"}, regexp.MustCompile(`\bsk-(?:proj-|ant-|svcacct-)?[A-Za-z0-9]*[A-Za-z0-9_-]{24,}`), hidden, nil},
	{"SendGrid key", []string{"sg."}, regexp.MustCompile(`\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`), hidden, nil},
	{"Vault token", []string{"hvs.", "hvb.", "hvr."}, regexp.MustCompile(`\bhv[sbr]\.[A-Za-z0-9_-]{20,}`), hidden, nil},
	{"HCP Terraform token", []string{".atlasv1."}, regexp.MustCompile(`\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{30,}`), hidden, nil},
	{"DigitalOcean or Databricks token", []string{"_v1_", "dapi"}, regexp.MustCompile(`\b(?:do[opr]_v1_|dapi)[a-f0-9]{32,}`), hidden, nil},
	{"Telegram token", []string{":aa"}, regexp.MustCompile(`\b[0-9]{8,10}:AA[A-Za-z0-9_-]{32,34}`), hidden, nil},
	{"age key", []string{"age-secret-key-"}, regexp.MustCompile(`\bAGE-SECRET-KEY-1[0-9A-Z]{40,}`), hidden, nil},
	{"JSON web token", []string{"eyj"}, regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?`), hidden, nil},

	{"cookie", []string{"cookie"}, regexp.MustCompile(`(?im)(\b(?:set-)?cookie` + assigns + `)(` + quotation + `|[^\s"'][^\r\n"']*)`), "", spareProse},
	{"authorization", []string{"authorization"}, regexp.MustCompile(`(?im)(\b(?:proxy-)?authorization` + assigns + `\\*["']?(?:aws4-hmac-sha256|digest|negotiate|ntlm|apikey|token)\s+)([^\r\n"'\\]+)`), "", nil},
	{"bearer or basic", []string{"bearer", "basic"}, regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)([a-z0-9._~+/=-]{6,})`), "", spareWords},

	{"environment entry", []string{"value"}, regexp.MustCompile(`(?im)(\bname\\*["']?\s*:\s*\\*["']?[\w.-]*` + secretKey + `\\*["']?\s*,?\s*\\*["']?value` + assigns + `)` + value), "", spareMarks},
	{"element", []string{"</"}, regexp.MustCompile(`(?i)(<[\w:.-]*` + secretKey + `(?:\s[^<>]*)?>)([^<]+)(</)`), "", spareMarks},
	{"flag", []string{"-"}, regexp.MustCompile(`(?im)((?:^|[\s"'\[])--?[a-z0-9-]*` + secretKey + `(?:["'],)?[ \t]+)(` + quotation + `|[^\s"'-][^\s"',]*)`), "", spareProse},
	{"login of a command", []string{"-u", "--user"}, regexp.MustCompile(`((?:^|\s)(?:-u|--user)[= ]["']?[^\s:"']+:)([^\s"']+)`), "", nil},
	{"line of a file", signsOfKeys, regexp.MustCompile(`(?im)(^[ \t]*(?:- )?["']?[\w.-]*` + secretKey + `["']?:[ \t]+)([^\s"'{\[](?:[^\r\n,]|,\S)*)`), "", spareProse},
	{"assignment", signsOfKeys, regexp.MustCompile(`(?im)(/?[\w.-]*` + secretKey + assigns + `)` + value), "", spareProse},
}

// prose are the words that follow "token: " in what registries, API servers and
// programs say; without them their most common messages would lose their point.
var prose = strings.Fields(`
	a access an and any are as auth authentication authorization bad bearer but by can cannot canceled cancelled connection context could couldn't dial
	denied deadline did didn't does doesn't due empty encrypted eof error errors exceeded expected expired fail failed failure false file for forbidden found from
	get given got has have head header http https i/o if illegal in incorrect insufficient internal invalid is it its key lookup malformed may mismatch
	missing must name need needed needs net neither never nil no none not null of on only open or panic parse permission please post provided put
	random read received refused rejected request required response returned revoked rpc secret see server should signature skipping status still stat the this
	timed timeout tls to token too true unable unauthorized unavailable undefined unexpected unhandled unknown unmarshal unset unsupported use used user using value
	verification was were when while with write wrong x509 yaml yes your`)

// spareProse leaves words of a sentence, and what has no letters and digits. In
// quotes, or after "=", nothing is a sentence.
func spareProse(key, value string) bool {
	if spareMarks(key, value) {
		return true
	}
	key = strings.ToLower(strings.TrimRight(key, " \t"))
	if strings.HasPrefix(value, "/") && (key == "pwd=" || key == "oldpwd=") {
		return true // where a shell is
	}
	if strings.HasSuffix(key, "=") || opening(value) != "" {
		return false
	}
	switch {
	case strings.HasPrefix(key, "/"): // the end of an address
		return true
	case strings.HasSuffix(key, "auth:") && !random(value), key == "pass:" && strings.Trim(value, "0123456789") == "":
		return true
	}
	word, _, _ := strings.Cut(value, " ")
	word = strings.ToLower(strings.Trim(word, `.,;:!?()[]{}<>"'`))
	return slices.Contains(prose, word)
}

// spareMarks leaves what is hidden already, and what is too short for a secret.
func spareMarks(_, value string) bool {
	value = strings.Trim(value, quotes)
	return len(value) < 3 || len(value) == 3 && !strings.ContainsFunc(value, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// spareWords leaves words, as "basic authentication", and the parameters of a
// challenge.
func spareWords(_, value string) bool {
	name, _, parameter := strings.Cut(value, "=")
	if parameter && slices.Contains([]string{"realm", "scope", "service", "error", "charset"}, strings.ToLower(name)) {
		return true
	}
	return spareMarks("", value) || !random(value) && len(value) < 20
}

// random says that a text is no word: it has digits, or capitals after the first
// letter.
func random(text string) bool {
	for i, r := range text {
		if unicode.IsDigit(r) || i > 0 && unicode.IsUpper(r) {
			return true
		}
	}
	return false
}

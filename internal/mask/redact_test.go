package mask

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What each mask hides, and what is left of the text.
var masked = map[string]map[string]string{
	"private key": {
		"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- after":                                               "*** after",
		`"private_key_pem": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ\n-----END PRIVATE KEY-----\n", "a": "b"`:    `"private_key_pem": "***\n", "a": "b"`,
		"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\nlQdGBF8\n=Ab1d\n-----END PGP PRIVATE KEY BLOCK-----":                 "***",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU=\n-----END OPENSSH PRIVATE KEY-----\nlistening on 1": "***\nlistening on 1",
	},
	"beginning of a private key": {
		"-----BEGIN PRIVATE KEY-----\nMIIE": "***",
		"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEvQIBADAN\nlistening on :8080":                "***\nlistening on :8080",
		`key -----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIAz2\nAwEHoUQDQgAE`:                                             "key ***",
		"-----BEGIN ENCRYPTED PRIVATE KEY-----\r\nMIIFHDBOBgkqhkiG9w0BBQ0wQTApBgkq\r\nhkiG9w0BBQwwHAQI\r\nready now": "***\nready now",
	},
	"end of a private key": {
		"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nkqhkiG9w0BAQ\n-----END PRIVATE KEY-----\nready": "***\nready",
	},
	"URL with a login": {
		"GET https://robot:hunter2@registry.example/v2":            "GET https://***@registry.example/v2",
		"postgres://api:hunter2@db/shop failed":                    "postgres://***@db/shop failed",
		"amqps://u:p@ss@mq.example:5671/vhost":                     "amqps://***@mq.example:5671/vhost",
		"mongodb+srv://user:hunter2@cluster0.example.net/?retry=1": "mongodb+srv://***@cluster0.example.net/?retry=1",
		"cloning https://ghp-like-token@github.com/acme/api.git":   "cloning https://***@github.com/acme/api.git",
		`dial "redis://:hunter2@cache:6379/0": connection refused`: `dial "redis://***@cache:6379/0": connection refused`,
	},
	"login of a database's address": {"api:hunter2@tcp(db:3306)/shop?parseTime=true": "api:***@tcp(db:3306)/shop?parseTime=true"},
	"webhook": {
		"POST https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXX failed": "POST https://hooks.slack.com/services/*** failed",
		"https://discord.com/api/webhooks/12345/abcDEF-ghi":                         "https://discord.com/api/webhooks/***",
	},
	"signed URL": {
		"GET https://s3.example/a?X-Amz-Date=20260101T000000Z&X-Amz-Credential=AB12%2F2026&X-Amz-Signature=fe5f80f77d5fa3be": "GET https://s3.example/a?X-Amz-Date=20260101T000000Z&X-Amz-Credential=***&X-Amz-Signature=***",
		"https://acme.blob.core.windows.net/a?sv=2022-11-02&se=2026&sig=n%2Bk3V1abcdef%3D":                                   "https://acme.blob.core.windows.net/a?sv=2022-11-02&se=2026&sig=***",
		"https://maps.example/api?key=abcdefgh12345678&q=x":                                                                  "https://maps.example/api?key=***&q=x",
		"callback /login?code=4%2F0AX4XfWh0123&state=1":                                                                      "callback /login?code=***&state=1",
	},
	"AWS key id":                       {"key AKIAIOSFODNN7EXAMPLE used": "key *** used", "ASIAIOSFODNN7EXAMPLE": "***"},
	"Google API key":                   {"key AIzaSyA1234567890abcdefghijklmnopqrstuv used": "key *** used"},
	"Google OAuth token":               {"ya29.a0AfH6SMBx-1234_abc": "***", "client GOCSPX-abcdefghij1234567890ABCDEFGH": "client ***"},
	"Azure client secret":              {"using abc8Q~abcdefghijklmnopqrstuvwxyz12345.-_ now": "using *** now"},
	"GitHub token":                     {"remote: ghp_abcdefghijklmnopqrstuvwxyz0123456789": "remote: ***", "github_pat_11ABCDEFG0abcdefghij_klmnop": "***"},
	"GitLab token":                     {"glpat-abcdefghij1234567890 x": "*** x"},
	"Slack token":                      {"xoxb-123456789012-abcdefABCDEF": "***", "xapp-1-A012-abc": "***"},
	"Stripe key":                       {"sk_live_abcdefghij12345 declined": "*** declined", "whsec_abcdefghij12345": "***"},
	"npm token":                        {"npm_abcdefghijklmnopqrstuvwxyz0123456789": "***"},
	"PyPI token":                       {"pypi-AgEIcHlwaS5vcmcCJGFiY2RlZmdoaWprbG1ub3A": "***"},
	"Docker token":                     {"dckr_pat_abcdefghij-1234567890": "***"},
	"SendGrid key":                     {"SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG": "***"},
	"Vault token":                      {"hvs.CAESIJabcdefghij1234567890": "***"},
	"HCP Terraform token":              {"abcdefghij1234.atlasv1.abcdefghijklmnopqrstuvwxyz0123456789": "***"},
	"Telegram token":                   {"bot 123456789:AAabcdefghijklmnopqrstuvwxyz0123456 x": "bot *** x"},
	"age key":                          {"AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ": "***"},
	"JSON web token":                   {"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3.c2ln used": "jwt *** used"},
	"OpenAI or Anthropic key":          {"Incorrect API key provided: sk-proj-abcdefghij1234567890abcdef": "Incorrect API key provided: ***"},
	"DigitalOcean or Databricks token": {"dop_v1_0123456789abcdef0123456789abcdef": "***", "dapi0123456789abcdef0123456789abcdef": "***"},
	"cookie": {
		"Cookie: session=abc; theme=dark":                                   "Cookie: ***",
		`{"Set-Cookie":"sid=abc; Path=/; HttpOnly","Status":200}`:           `{"Set-Cookie":"***","Status":200}`,
		"< set-cookie: SID=31d4d96e407aad42; Path=/\r\n< content-length: 0": "< set-cookie: ***\n< content-length: 0",
	},
	"authorization": {
		"Authorization: AWS4-HMAC-SHA256 Credential=AB/2026/x, SignedHeaders=host, Signature=fe5f80": "Authorization: AWS4-HMAC-SHA256 ***",
		`"Authorization": "Token abcdefgh"`: `"Authorization": "Token ***"`,
	},
	"bearer or basic": {
		"Authorization: Bearer abcdef123456":     "Authorization: Bearer ***",
		"authorization: basic YXBpOmh1bnRlcjI=":  "authorization: basic ***",
		"sent Bearer abcdefghijklmnopqrstuvwxyz": "sent Bearer ***",
	},
	"environment entry": {
		"- name: DB_PASSWORD\n  value: hunter2\n- name: LOG_LEVEL\n  value: info": "- name: DB_PASSWORD\n  value: ***\n- name: LOG_LEVEL\n  value: info",
		`{"name":"API_TOKEN","value":"hunter2"}`:                                  `{"name":"API_TOKEN","value":"***"}`,
	},
	"element": {"<password>hunter2</password>": "<password>***</password>", `<api-key id="1">hunter2</api-key>`: `<api-key id="1">***</api-key>`},
	"flag": {
		"exec: mysqld --user api --root-password hunter2 --port 1": "exec: mysqld --user api --root-password *** --port 1",
		`args ["--token", "hunter2"]`:                              `args ["--token", "***"]`,
		"app -password 'hunter 2' run":                             "app -password '***' run",
	},
	"login of a command": {"curl -u api:hunter2 https://x": "curl -u api:*** https://x"},
	"line of a file": {
		"db:\n  password: correct horse battery\n  host: db": "db:\n  password: ***\n  host: db",
		"- token: hunter2 # for tests":                       "- token: ***",
	},
	"assignment": {
		"DB_PASSWORD=hunter2 started":                             "DB_PASSWORD=*** started",
		`{"api_key": "hunter2", "user": "x"}`:                     `{"api_key": "***", "user": "x"}`,
		`{"password":"pa\"ss, word","user":"x"}`:                  `{"password":"***","user":"x"}`,
		`body "{\"password\":\"hunter2\",\"user\":\"x\"}" sent`:   `body "{\"password\":\"***\",\"user\":\"x\"}" sent`,
		"token: hunter2, next":                                    "token: ***, next",
		"read {User:api Password:hunter2} from env":               "read {User:api Password:*** from env",
		"{'password': 'hunter2', 'user': 'x'}":                    "{'password': '***', 'user': 'x'}",
		":password=>\"hunter2\"":                                  ":password=>\"***\"",
		"Server=db;User Id=api;Password=hunter2;Encrypt=True":     "Server=db;User Id=api;Password=***;Encrypt=True",
		"AccountName=acme;AccountKey=abcd/EFGH+1234==;Suffix=net": "AccountName=acme;AccountKey=***;Suffix=net",
		"host=db user=api password='hunter 2' sslmode=disable":    "host=db user=api password='***' sslmode=disable",
		"X-Api-Key: hunter2":                                      "X-Api-Key: ***",
		"//registry.npmjs.org/:_authToken=hunter2":                "//registry.npmjs.org/:_authToken=***",
		`"auths":{"https://x":{"auth":"YXBpOmh1bnRlcjI="}}`:       `"auths":{"https://x":{"auth":"***"}}`,
		"grant_type=x&client_secret=hunter2&refresh_token=abc":    "grant_type=x&client_secret=***&refresh_token=***",
		"token=\"hunter2 was cut off":                             "token=\"***",
		"password%3Dhunter2":                                      "password%3D***",
		"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY":  "aws_secret_access_key = ***",
	},
}

func TestEveryMaskHides(t *testing.T) {
	t.Parallel()
	for _, m := range masks {
		if len(masked[m.name]) == 0 {
			t.Errorf("nothing shows what %q hides", m.name)
		}
		for text, want := range masked[m.name] {
			if alone, _ := m.redact(text, nil); alone == text || !m.mayBeIn(strings.ToLower(text)) {
				t.Errorf("%s: it does not find %q by itself", m.name, text)
			}
			if got := Redact(text); got != want {
				t.Errorf("%s: %q\nis  %q\nnot %q", m.name, text, got, want)
			}
			if again := Redact(Redact(text)); again != want {
				t.Errorf("%s: redacted twice, %q is %q", m.name, text, again)
			}
		}
	}
}

// What people must be able to read.
var plain = []string{
	`secret "api-db" not found`,
	"couldn't find key url in Secret shop/api-db",
	"references non-existent secret key: tls.crt",
	"exceeded quota: tiny, requested: secrets=1,count/tokens=2, used: secrets=4",
	"failed to fetch oauth token: unexpected status: 401",
	`failed to fetch anonymous token: Get "https://auth.docker.io/token?scope=repository%3Aacme%2Fapi%3Apull&service=registry.docker.io": dial tcp 1.2.3.4:443: i/o timeout`,
	`failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://auth.docker.io/token: 401 Unauthorized: {"details":"incorrect username or password"}`,
	"no basic auth credentials",
	"basic authentication required",
	`www-authenticate: Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:acme/api:pull"`,
	"see https://example.com/a@b",
	"ghcr.io/acme/api@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1",
	"https://registry.example:5000/v2/acme/api/manifests/sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1",
	"docker-pullable://registry.example/acme/api@sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1",
	`Get "https://ghcr.io/v2/acme/api/manifests/v1": EOF`,
	"pod api-7f3c9a1e-6c9f8-x2x8d uid 6f0b5e3c-5f1e-4a57-9a4b-6a4a2a7d9c10",
	"commit 5c7a268f0d2c1b4e9a8f7e6d5c4b3a2918273645 by dev@example.com",
	"unexpected token: }",
	"SyntaxError: Unexpected token: 'x'",
	"token: unexpected end of input",
	"token: expired at 12:00",
	"password: must be at least 8 characters",
	"Access denied for user 'api'@'10.0.0.1' (using password: NO)",
	"ERROR 1045 (28000): Access denied (using password: YES)",
	`pq: password authentication failed for user "api"`,
	"secret: not found",
	"tests pass: 12, fail: 3",
	"PWD=/app OLDPWD=/",
	"max_tokens=512 tokens: 1024 token_count=7",
	"MountVolume.SetUp failed for volume \"keys\" : secret \"keys\" not found",
	`failed to sync secret cache: timed out waiting for the condition`,
	"Error: secret key \"url\" is missing",
	"panic: runtime error: invalid memory address or nil pointer dereference",
	"listening on :8080",
	"unknown flag: --token",
	"flag needs an argument: --password",
	"--password is required",
	"GET /search?q=1&page=2&code=404 200 12ms",
	"Back-off pulling image \"ghcr.io/acme/api:v1.2.3\"",
	"pulling from host ghcr.io failed with status code [manifests v1]: 403 Forbidden",
	"0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available",
	"Liveness probe failed: Get \"http://10.244.0.7:8080/healthz\": dial tcp 10.244.0.7:8080: connect: connection refused",
	"desk-lamp risk-assessment task-queue-worker-deployment-canary-1",
	"mask-image-processing-service-deployment-6c9f8",
	"user api:v1 at tcp(db:3306)",
}

func TestRedactLeavesWhatPeopleMustRead(t *testing.T) {
	t.Parallel()
	for _, text := range plain {
		if got := Redact(text); got != text {
			t.Errorf("%q\nis %q", text, got)
		}
	}
}

// carriers are where a credential of any kind may stand.
var carriers = []string{
	"password=%s", "PASSWORD='%s'", `export DB_PASSWORD="%s"`, "token: %s", "api-key: %s\nhost: db", "  secret: %s",
	`{"user":"x","password":"%s"}`, `{"a":{"accessToken" : "%s","b":1}}`, `"{\"apiKey\":\"%s\"}"`, `{\"client_secret\": \"%s\"}`,
	"{'private_key': '%s'}", "map[passwd:%s user:x]", "run --password %s --x", "run --api-key=%s", `["--token", "%s"]`, "-secret %s",
	"https://user:%s@host/path", "postgres://%s@db:5432/shop?sslmode=disable", "redis://:%s@cache:6379", "api:%s@tcp(db:3306)/shop",
	"Authorization: Bearer %s", `"authorization":"Basic %s"`, "Proxy-Authorization: Digest %s", "Cookie: sid=%s; a=b", "Set-Cookie: sid=%s; Path=/",
	"https://s3.example/x?X-Amz-Signature=%s&y=1", "https://x.blob.core.windows.net/a?sv=1&sig=%s", "Server=db;Password=%s;Encrypt=True",
	"- name: API_TOKEN\n  value: %s", `{"name":"DB_PASSWORD","value":"%s"}`, "<password>%s</password>", "curl -u user:%s https://x", "connectionString=%s",
	`level=error msg="login failed" password="%s"`, "2026-01-01T00:00:00Z ERROR cannot log in: token=%s, giving up",
	"\x1b[36mpassword\x1b[0m=%s \x1b[36muser\x1b[0m=api",
	"-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----",
}

// TestPlantedSecretsNeverSurvive, in whatever they are carried.
func TestPlantedSecretsNeverSurvive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Za-z][A-Za-z0-9]{2,14}[0-9][A-Za-z0-9]{4,20}`).Draw(t, "secret")
		carrier := rapid.SampledFrom(carriers).Draw(t, "carrier")
		around := rapid.SampledFrom([]string{"%s", "before %s", "before\n%s\nafter", "\t%s\r\n", "[api] %s"}).Draw(t, "around")
		if strings.Contains(carrier, "\n") && strings.HasPrefix(around, "before %") {
			around = "%s"
		}
		text := fmt.Sprintf(around, fmt.Sprintf(carrier, secret))
		once := Redact(text)
		if strings.Contains(once, secret) {
			t.Errorf("%q\nis %q", text, once)
		}
		if again := Redact(once); again != once {
			t.Errorf("%q\nis %q\nand %q when it is redacted twice", text, once, again)
		}
	})
}

// TestKnownTokensNeverSurvive, wherever they stand.
func TestKnownTokensNeverSurvive(t *testing.T) {
	t.Parallel()
	var tokens []string
	for _, m := range masks {
		if m.with == "" || strings.Contains(m.name, "private key") {
			continue
		}
		for text, want := range masked[m.name] {
			before, after, _ := strings.Cut(want, hidden)
			tokens = append(tokens, strings.TrimSuffix(strings.TrimPrefix(text, before), after))
		}
	}
	slices.Sort(tokens)
	for _, token := range tokens {
		for _, around := range []string{"%s", "using %s.", `"%s"`, "(%s)", "a=%s&b", "\x1b[31m%s\x1b[0m", "x %s\n", "https://x/%s", "{%s}", "\x1b[36mkey\x1b[0m=\x1b[33m%s"} {
			if got := Redact(fmt.Sprintf(around, token)); strings.Contains(got, token) {
				t.Errorf("%q survives: %q", fmt.Sprintf(around, token), got)
			}
		}
	}
}

func FuzzRedact(f *testing.F) {
	for _, texts := range masked {
		for text := range texts {
			f.Add(text)
		}
	}
	for _, text := range plain {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := Redact(text)
		if again := Redact(once); again != once {
			t.Errorf("%q\nis %q\nand %q when it is redacted twice", text, once, again)
		}
	})
}

package config

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Option is one setting of the hub.
type Option struct {
	Key     string             // Name as a command-line flag, without dashes in front: "data-dir".
	Env     string             // Name in the environment and in the settings file: "SHUQIAO_DATA_DIR".
	Default string             // Text that stands for the value when no source gives one; it passes Check.
	Secret  bool               // The value is never shown, and Env with "_FILE" may name a file that holds it.
	Check   func(string) error // Says what a right value looks like when the value is wrong; never repeats it.
	Doc     string             // What it is for, in English.
	DocZH   string             // The same in Chinese.

	set func(c *Config, value string) // puts a value that passed Check into c
}

// FileEnv returns the name of the variable that holds the path of a file with the value, or "" when the option is no
// secret.
func (o Option) FileEnv() string {
	if !o.Secret {
		return ""
	}
	return o.Env + "_FILE"
}

// define makes an option whose Check and set share one parser.
func define[T any](o Option, parse func(string) (T, error), set func(c *Config, value T)) Option {
	o.Check = func(text string) error {
		_, err := parse(text)
		return err
	}
	o.set = func(c *Config, text string) {
		if value, err := parse(text); err == nil {
			set(c, value)
		}
	}
	return o
}

// Options returns every option of the hub, in the order of the documentation.
func Options() []Option {
	return []Option{
		define(Option{
			Key: "database-url", Env: "SHUQIAO_DATABASE_URL", Secret: true,
			Doc:   "PostgreSQL database in which the hub keeps its own tables, as a postgres:// URL. Empty: the hub starts its own private PostgreSQL in the data folder.",
			DocZH: "平台自身数据所在的 PostgreSQL 数据库，写作 postgres:// 地址。不填则在数据目录中启动自带的 PostgreSQL。",
		}, parseDatabaseURL, func(c *Config, v string) { c.DatabaseURL = newSecret(v) }),
		define(Option{
			Key: "data-dir", Env: "SHUQIAO_DATA_DIR",
			Doc:   "Folder for the key file, the node id and the private PostgreSQL. Empty: /var/lib/shuqiao as root, else shuqiao under the user's data folder (XDG_DATA_HOME or ~/.local/share).",
			DocZH: "数据目录，存放密钥文件、节点标识和自带的 PostgreSQL。不填时 root 用 /var/lib/shuqiao，其他用户用个人数据目录（XDG_DATA_HOME 或 ~/.local/share）下的 shuqiao。",
		}, parseFolder, func(c *Config, v string) { c.DataDir = v }),
		define(Option{
			Key: "listen", Env: "SHUQIAO_LISTEN", Default: "127.0.0.1:8080",
			Doc:   "Address of the API and the console, as host:port. Port 0 takes a free one.",
			DocZH: "接口与控制台的监听地址，写作 主机:端口。端口为 0 时取空闲端口。",
		}, parseHostPort, func(c *Config, v string) { c.Listen = v }),
		define(Option{
			Key: "role", Env: "SHUQIAO_ROLE", Default: string(RoleAll),
			Doc:   "What this node does: all, api (answers requests only) or worker (runs tasks only).",
			DocZH: "本节点的职责：all 全部，api 仅应答请求，worker 仅执行任务。",
		}, oneOf(RoleAll, RoleAPI, RoleWorker), func(c *Config, v Role) { c.Role = v }),
		define(Option{
			Key: "log-level", Env: "SHUQIAO_LOG_LEVEL", Default: "info",
			Doc:   "Least level that is logged: debug, info, warn or error.",
			DocZH: "日志的最低级别：debug、info、warn 或 error。",
		}, parseLevel, func(c *Config, v slog.Level) { c.LogLevel = v }),
		define(Option{
			Key: "log-format", Env: "SHUQIAO_LOG_FORMAT", Default: string(LogText),
			Doc:   "Form of log lines: text or json.",
			DocZH: "日志格式：text 或 json。",
		}, oneOf(LogText, LogJSON), func(c *Config, v LogFormat) { c.LogFormat = v }),
		define(Option{
			Key: "node-takeover", Env: "SHUQIAO_NODE_TAKEOVER", Default: "8s",
			Doc:   "How long a node may be silent before others take over its runs: 1s to 60s. The same on all nodes.",
			DocZH: "节点静默多久后由其他节点接管其运行：1s 至 60s。各节点须一致。",
		}, durationBetween(time.Second, time.Minute), func(c *Config, v time.Duration) { c.NodeTakeover = v }),
		define(Option{
			Key: "workers", Env: "SHUQIAO_WORKERS", Default: "2",
			Doc:   "How many runs this node executes at the same time: 1 to 64.",
			DocZH: "本节点同时执行的运行数：1 至 64。",
		}, wholeBetween(1, 64), func(c *Config, v int) { c.Workers = v }),
		define(Option{
			Key: "body-limit", Env: "SHUQIAO_BODY_LIMIT", Default: "1MiB",
			Doc:   "Largest request body in bytes, KiB or MiB: 4KiB to 64MiB.",
			DocZH: "请求体的上限，单位为字节、KiB 或 MiB：4KiB 至 64MiB。",
		}, bytesBetween(4<<10, 64<<20), func(c *Config, v int64) { c.BodyLimit = v }),
		define(Option{
			Key: "time-zone", Env: "SHUQIAO_TIME_ZONE", Default: "Asia/Shanghai",
			Doc:   "IANA time zone of schedules, working days and shown times.",
			DocZH: "调度、工作日与界面显示所用的 IANA 时区。",
		}, parseZone, func(c *Config, v *time.Location) { c.TimeZone = v }),
		define(Option{
			Key: "password-min-length", Env: "SHUQIAO_PASSWORD_MIN_LENGTH", Default: "12",
			Doc:   "Fewest characters of a password: 8 to 64.",
			DocZH: "密码的最少字符数：8 至 64。",
		}, wholeBetween(8, 64), func(c *Config, v int) { c.PasswordMinLength = v }),
		define(Option{
			Key: "password-max-age", Env: "SHUQIAO_PASSWORD_MAX_AGE", Default: "90d",
			Doc:   "Age at which a password must be changed, in days: 1d to 3650d. 0 means never.",
			DocZH: "密码须更换的期限，以天计：1d 至 3650d；0 为不限。",
		}, daysUpTo(3650), func(c *Config, v time.Duration) { c.PasswordMaxAge = v }),
		define(Option{
			Key: "lock-after", Env: "SHUQIAO_LOCK_AFTER", Default: "5",
			Doc:   "Wrong answers in a row after which an account is locked: 3 to 20.",
			DocZH: "连续登录失败多少次后锁定账号：3 至 20。",
		}, wholeBetween(3, 20), func(c *Config, v int) { c.LockAfter = v }),
		define(Option{
			Key: "lock-for", Env: "SHUQIAO_LOCK_FOR", Default: "15m",
			Doc:   "How long an account stays locked: 1m to 24h.",
			DocZH: "账号锁定的时长：1m 至 24h。",
		}, durationBetween(time.Minute, 24*time.Hour), func(c *Config, v time.Duration) { c.LockFor = v }),
		define(Option{
			Key: "session-idle", Env: "SHUQIAO_SESSION_IDLE", Default: "30m",
			Doc:   "After how long without use a session ends: 5m to 12h.",
			DocZH: "会话闲置多久后结束：5m 至 12h。",
		}, durationBetween(5*time.Minute, 12*time.Hour), func(c *Config, v time.Duration) { c.SessionIdle = v }),
		define(Option{
			Key: "session-absolute", Env: "SHUQIAO_SESSION_ABSOLUTE", Default: "12h",
			Doc:   "After how long a session ends whatever its use: 15m to 24h.",
			DocZH: "会话无论是否使用，多久后结束：15m 至 24h。",
		}, durationBetween(15*time.Minute, 24*time.Hour), func(c *Config, v time.Duration) { c.SessionAbsolute = v }),
		define(Option{
			Key: "sign-in-rate", Env: "SHUQIAO_SIGN_IN_RATE", Default: "20",
			Doc:   "Sign-ins that one address may try per minute on this node: 1 to 100000.",
			DocZH: "同一地址在本节点每分钟可尝试登录的次数：1 至 100000。",
		}, wholeBetween(1, 100_000), func(c *Config, v int) { c.SignInRate = v }),
		define(Option{
			Key: "second-factor", Env: "SHUQIAO_SECOND_FACTOR", Default: "admins",
			Doc:   "Who must sign in with a second factor: off (nobody must), admins (the three administrators and the platform operator) or all.",
			DocZH: "须使用第二因素登录的人员：off 不强制，admins 三类管理员与平台管理方，all 全部人员。",
		}, oneOf("off", "admins", "all"), func(c *Config, v string) { c.SecondFactor = v }),
		define(Option{
			Key: "password-sign-in", Env: "SHUQIAO_PASSWORD_SIGN_IN", Default: "true",
			Doc:   "Whether people may sign in by password. With false, only system_admin may, in case the OpenID provider fails.",
			DocZH: "是否允许以密码登录。为 false 时仅系统管理员可用密码登录，以备 OpenID 服务故障。",
		}, parseBool, func(c *Config, v bool) { c.PasswordSignIn = v }),
		define(Option{
			Key: "openid-issuer", Env: "SHUQIAO_OPENID_ISSUER",
			Doc:   "Issuer of the OpenID provider at which people may sign in, as an https:// URL (http:// for this machine only). Empty: none.",
			DocZH: "人员登录所用 OpenID 服务的签发者，写作 https:// 地址（仅本机可用 http://）。不填则不使用。",
		}, parseSecureURL, func(c *Config, v string) { c.OpenIDIssuer = v }),
		define(Option{
			Key: "openid-client-id", Env: "SHUQIAO_OPENID_CLIENT_ID",
			Doc:   "Client id of the hub at the OpenID provider.",
			DocZH: "平台在 OpenID 服务中的客户端标识。",
		}, parseText, func(c *Config, v string) { c.OpenIDClientID = v }),
		define(Option{
			Key: "openid-client-secret", Env: "SHUQIAO_OPENID_CLIENT_SECRET", Secret: true,
			Doc:   "Secret of that client. Empty for a public client, which PKCE alone protects.",
			DocZH: "该客户端的密钥。公开客户端不填，仅由 PKCE 保护。",
		}, parseText, func(c *Config, v string) { c.OpenIDClientSecret = newSecret(v) }),
		define(Option{
			Key: "openid-username-claim", Env: "SHUQIAO_OPENID_USERNAME_CLAIM", Default: "preferred_username",
			Doc:   "Claim that holds the user name by which an account is found at its first OpenID sign-in.",
			DocZH: "首次 OpenID 登录时用以匹配账号的用户名声明。",
		}, parseText, func(c *Config, v string) { c.OpenIDUsernameClaim = v }),
		define(Option{
			Key: "openid-trust-factors", Env: "SHUQIAO_OPENID_TRUST_FACTORS", Default: "false",
			Doc:   "Whether the provider's claim amr with otp, mfa or hwk counts as the second factor.",
			DocZH: "OpenID 服务的 amr 声明含 otp、mfa 或 hwk 时，是否视为已用第二因素。",
		}, parseBool, func(c *Config, v bool) { c.OpenIDTrustFactors = v }),
		define(Option{
			Key: "public-url", Env: "SHUQIAO_PUBLIC_URL",
			Doc:   "Address under which people reach the hub, such as https://share.example.gov.cn, without a path. Needed for OpenID.",
			DocZH: "人员访问平台所用的地址，如 https://share.example.gov.cn，不含路径。使用 OpenID 时必填。",
		}, parseSecureURL, func(c *Config, v string) { c.PublicURL = strings.TrimSuffix(v, "/") }),
	}
}

// daysUpTo parses whole days, "90d", and "0".
func daysUpTo(most int) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		if s == "0" {
			return 0, nil
		}
		digits, ok := strings.CutSuffix(s, "d")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || n < 1 || n > most {
			return 0, fmt.Errorf("write whole days from 1d to %dd, or 0", most)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
}

func parseBool(s string) (bool, error) {
	if s != "true" && s != "false" {
		return false, fmt.Errorf("write true or false")
	}
	return s == "true", nil
}

func parseText(s string) (string, error) {
	if len(s) > 4096 || strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
		return "", fmt.Errorf("write one line of text")
	}
	return s, nil
}

// parseSecureURL takes https addresses, and http ones of this machine.
func parseSecureURL(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	local := err == nil && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return "", fmt.Errorf("write https://host, or http://127.0.0.1:port for this machine")
	}
	return s, nil
}

func parseDatabaseURL(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || (u.Host == "" && u.Query().Get("host") == "") {
		// The error of url.Parse repeats the URL with its password.
		return "", fmt.Errorf("write postgres://user:password@host:port/database")
	}
	return s, nil
}

func parseFolder(s string) (string, error) {
	if strings.ContainsRune(s, 0) {
		return "", fmt.Errorf("write the path of a folder")
	}
	return s, nil
}

func parseHostPort(s string) (string, error) {
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", fmt.Errorf("write host:port with a port from 0 to 65535")
	}
	return s, nil
}

func oneOf[T ~string](allowed ...T) func(string) (T, error) {
	return func(s string) (T, error) {
		names := make([]string, len(allowed))
		for i, v := range allowed {
			if s == string(v) {
				return v, nil
			}
			names[i] = string(v)
		}
		return "", fmt.Errorf("write one of %s", strings.Join(names, ", "))
	}
}

func parseLevel(s string) (slog.Level, error) {
	switch s {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	default:
		return 0, fmt.Errorf("write one of debug, info, warn, error")
	}
}

func durationBetween(least, most time.Duration) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d < least || d > most {
			return 0, fmt.Errorf("write a duration from %s to %s, such as %s", least, most, least)
		}
		return d, nil
	}
}

func wholeBetween(least, most int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("write a whole number from %d to %d", least, most)
		}
		return n, nil
	}
}

func bytesBetween(least, most int64) func(string) (int64, error) {
	return func(s string) (int64, error) {
		digits, unit := s, int64(1)
		if rest, ok := strings.CutSuffix(s, "KiB"); ok {
			digits, unit = rest, 1<<10
		} else if rest, ok := strings.CutSuffix(s, "MiB"); ok {
			digits, unit = rest, 1<<20
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > most/unit || n*unit < least {
			return 0, fmt.Errorf("write a size from %d to %d bytes, such as 512KiB or 1MiB", least, most)
		}
		return n * unit, nil
	}
}

func parseZone(s string) (*time.Location, error) {
	zone, err := time.LoadLocation(s)
	if err != nil || s == "" || s == "Local" {
		return nil, fmt.Errorf("write an IANA time zone such as Asia/Shanghai")
	}
	return zone, nil
}

// WriteMarkdown writes the options as a Markdown table, in Chinese where lang is "zh-CN", else in English.
func WriteMarkdown(w io.Writer, lang string) error {
	head := [4]string{"variable", "flag", "default", "meaning"}
	secretNote := " Secret: never shown; %s may name a file that holds it."
	if lang == "zh-CN" {
		head = [4]string{"变量", "命令行参数", "默认值", "含义"}
		secretNote = "密文项：不予显示；也可用 %s 指明存放该值的文件。"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | %s | %s | %s |\n| --- | --- | --- | --- |\n", head[0], head[1], head[2], head[3])
	for _, o := range Options() {
		doc := o.Doc
		if lang == "zh-CN" {
			doc = o.DocZH
		}
		if o.Secret {
			doc += fmt.Sprintf(secretNote, "`"+o.FileEnv()+"`")
		}
		value := "–"
		if o.Default != "" {
			value = "`" + o.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `--%s` | %s | %s |\n", o.Env, o.Key, value, doc)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

package config

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/internal/netguard"
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
	return append([]Option{
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
			Key: "source-networks", Env: "SHUQIAO_SOURCE_NETWORKS", Default: netguard.Default,
			Doc:   "Where sources may lie, separated by commas: default (every address but this machine's own, link-local, multicast and clouds' metadata), unix (sockets of this machine), networks, addresses, host names. A list without default allows nothing else.",
			DocZH: "数据源所在的网络，以逗号分隔：default（除本机、链路本地、组播和云元数据之外的地址）、unix（本机套接字）、网段、地址、主机名。不含 default 时仅允许所列各项。",
		}, netguard.Parse, func(c *Config, v netguard.Policy) { c.SourceNetworks = v }),
		define(Option{
			Key: "notice-networks", Env: "SHUQIAO_NOTICE_NETWORKS", Default: netguard.Default,
			Doc:   "Where webhooks and mail servers of alarms may lie, written as source-networks is.",
			DocZH: "告警的网络回调和邮件服务器所在的网络，写法同 source-networks。",
		}, netguard.Parse, func(c *Config, v netguard.Policy) { c.NoticeNetworks = v }),
		define(Option{
			Key: "exports-dir", Env: "SHUQIAO_EXPORTS_DIR",
			Doc:   "Folder for the sealed files of exports. Empty: exports in the data folder. Several nodes share one folder.",
			DocZH: "导出文件（加密）的存放目录。不填时为数据目录下的 exports。多节点须共用同一目录。",
		}, parseFolder, func(c *Config, v string) { c.ExportsDir = v }),
		define(Option{
			Key: "export-keep", Env: "SHUQIAO_EXPORT_KEEP", Default: "168h",
			Doc:   "How long the file of an export may be fetched: 1h to 720h.",
			DocZH: "导出文件可下载的时长：1h 至 720h。",
		}, durationBetween(time.Hour, 30*24*time.Hour), func(c *Config, v time.Duration) { c.ExportKeep = v }),
		define(Option{
			Key: "export-space", Env: "SHUQIAO_EXPORT_SPACE", Default: "50GiB",
			Doc:   "How much the files of all exports may take, in bytes, KiB, MiB or GiB: 1MiB to 65536GiB. Orders beyond it are refused. The same on all nodes.",
			DocZH: "全部导出文件可占用的空间，单位为字节、KiB、MiB 或 GiB：1MiB 至 65536GiB。超出时不再受理新的导出。各节点须一致。",
		}, bytesBetween(1<<20, 65536<<30), func(c *Config, v int64) { c.ExportSpace = v }),
		define(Option{
			Key: "resource-code-prefix", Env: "SHUQIAO_RESOURCE_CODE_PREFIX",
			Doc:   "What a province or city puts before national resource codes: a letter and up to 11 letters and digits. Empty: national codes. Entries keep the code they have. The same on all nodes.",
			DocZH: "省、市加在国家信息资源代码之前的前缀：一个字母，其后至多 11 个字母或数字。不填则用国家代码。已有代码的条目不变。各节点须一致。",
		}, parseCodePrefix, func(c *Config, v string) { c.CodePrefix = v }),
		define(Option{
			Key: "time-zone", Env: "SHUQIAO_TIME_ZONE", Default: "Asia/Shanghai",
			Doc:   "IANA time zone of schedules, working days and shown times.",
			DocZH: "调度、工作日与界面显示所用的 IANA 时区。",
		}, parseZone, func(c *Config, v *time.Location) { c.TimeZone = v }),
		define(Option{
			Key: "tls-cert", Env: "SHUQIAO_TLS_CERT",
			Doc:   "File with the certificate in PEM form, then those of its issuers. With tls-key the hub serves HTTPS; both are read again when they change. Empty: plain HTTP, for this machine or behind a proxy.",
			DocZH: "证书文件（PEM 格式，其后为签发者证书）。与 tls-key 一同给出时以 HTTPS 提供服务，文件变化后自动重新读取。不填则为普通 HTTP，供本机或代理之后使用。",
		}, parseFile, func(c *Config, v string) { c.TLSCert = v }),
		define(Option{
			Key: "tls-key", Env: "SHUQIAO_TLS_KEY",
			Doc:   "File with the private key of tls-cert in PEM form, readable by the user who runs the hub and by nobody else.",
			DocZH: "tls-cert 的私钥文件（PEM 格式），只应由运行平台的用户读取。",
		}, parseFile, func(c *Config, v string) { c.TLSKey = v }),
		define(Option{
			Key: "tls-client-ca", Env: "SHUQIAO_TLS_CLIENT_CA",
			Doc:   "File with the certificates that issue those of clients, in PEM form. A certificate that a client shows must come from them; none is demanded.",
			DocZH: "客户端证书的签发者证书文件（PEM 格式）。客户端出示的证书须由其签发；不强制出示。",
		}, parseFile, func(c *Config, v string) { c.TLSClientCA = v }),
		define(Option{
			Key: "trusted-proxies", Env: "SHUQIAO_TRUSTED_PROXIES",
			Doc:   "Networks or addresses of proxies in front of the hub, separated by commas, such as 10.0.0.0/8,::1. Only they are believed about who calls and whether by HTTPS. Empty: nobody.",
			DocZH: "平台前置代理的网段或地址，以逗号分隔，如 10.0.0.0/8,::1。仅采信它们所报的调用方地址与是否 HTTPS。不填则一概不采信。",
		}, parseNetworks, func(c *Config, v []netip.Prefix) { c.Proxies = v }),
		define(Option{
			Key: "proxy-header", Env: "SHUQIAO_PROXY_HEADER", Default: string(ProxyXForwarded),
			Doc:   "Headers that trusted proxies write: x-forwarded (X-Forwarded-For, X-Forwarded-Proto) or forwarded (RFC 7239). The other form is ignored, since a proxy passes it through as its caller wrote it.",
			DocZH: "可信代理所写的请求头：x-forwarded（X-Forwarded-For、X-Forwarded-Proto）或 forwarded（RFC 7239）。另一种一律忽略，因为代理会原样转发调用方所写的内容。",
		}, oneOf(ProxyXForwarded, ProxyForwarded), func(c *Config, v ProxyHeader) { c.ProxyHeader = v }),
	}, append(peopleOptions(), retainOptions()...)...)
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

// codePrefix is the form of prefixes that codes.NewCodeGenerator takes.
var codePrefix = regexp.MustCompile(`^([A-Za-z][0-9A-Za-z]{0,11})?$`)

func parseCodePrefix(s string) (string, error) {
	if !codePrefix.MatchString(s) {
		return "", fmt.Errorf("write a letter and up to 11 letters and digits")
	}
	return s, nil
}

func parseFile(s string) (string, error) {
	if strings.ContainsRune(s, 0) {
		return "", fmt.Errorf("write the path of a file")
	}
	return s, nil
}

// mostNetworks bounds a list of networks, which every request is compared with.
const mostNetworks = 64

func parseNetworks(s string) ([]netip.Prefix, error) {
	wrong := fmt.Errorf("write up to %d networks or addresses separated by commas, such as 10.0.0.0/8,::1", mostNetworks)
	if s == "" {
		return nil, nil
	}
	parts := strings.Split(s, ",")
	if len(parts) > mostNetworks {
		return nil, wrong
	}
	var out []netip.Prefix
	for _, part := range parts {
		part = strings.TrimSpace(part)
		network, err := netip.ParsePrefix(part)
		if err != nil {
			addr, err := netip.ParseAddr(part)
			if err != nil || addr.Zone() != "" {
				return nil, wrong
			}
			addr = addr.Unmap()
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		// Callers' addresses are compared unmapped, so a mapped network would contain none.
		if network.Addr().Is4In6() || network != network.Masked() {
			return nil, wrong
		}
		out = append(out, network)
	}
	return out, nil
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
		} else if rest, ok := strings.CutSuffix(s, "GiB"); ok {
			digits, unit = rest, 1<<30
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

package config

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// peopleOptions returns the options about how persons sign in.
func peopleOptions() []Option {
	return []Option{
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
			Key: "lock-for", Env: "SHUQIAO_LOCK_FOR", Default: "30m",
			Doc:   "How long an account stays locked: 1m to 24h.",
			DocZH: "账号锁定的时长：1m 至 24h。",
		}, durationBetween(time.Minute, 24*time.Hour), func(c *Config, v time.Duration) { c.LockFor = v }),
		define(Option{
			Key: "session-idle", Env: "SHUQIAO_SESSION_IDLE", Default: "30m",
			Doc:   "After how long without use a session ends: 5m to 12h.",
			DocZH: "会话闲置多久后结束：5m 至 12h。",
		}, durationBetween(5*time.Minute, 12*time.Hour), func(c *Config, v time.Duration) { c.SessionIdle = v }),
		define(Option{
			Key: "session-absolute", Env: "SHUQIAO_SESSION_ABSOLUTE", Default: "8h",
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
			Doc:   "Address under which people reach the hub, such as https://share.example.gov.cn, without a path. Needed for OpenID, and for addresses of open data that stay.",
			DocZH: "人员访问平台所用的地址，如 https://share.example.gov.cn，不含路径。使用 OpenID 时必填，开放数据的固定网址也由它构成。",
		}, parseSecureURL, func(c *Config, v string) { c.PublicURL = strings.TrimSuffix(v, "/") }),
		define(Option{
			Key: "open-directory", Env: "SHUQIAO_OPEN_DIRECTORY", Default: "false",
			Doc:   "Whether anyone may read, without signing in, which published entries are open to the public (DCAT, at /id/catalogue). With false, only people who sign in.",
			DocZH: "标明向社会开放的已发布目录（DCAT，网址 /id/catalogue）是否无须登录即可查看。为 false 时仅登录人员可查看。",
		}, parseBool, func(c *Config, v bool) { c.OpenDirectory = v }),
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

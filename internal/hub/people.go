package hub

import (
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// OpenIDPath is where the OpenID provider sends people back to, below the public address.
const OpenIDPath = "/ui/openid/callback"

// people says how persons are recognised, by the settings.
func (p *Program) people(keyring *secret.Keyring) identity.Options {
	cfg := p.opt.Config
	return identity.Options{
		DB: p.DB, Enforcer: p.Enforcer, Passwords: p.opt.Passwords, Keyring: keyring, Log: p.log,
		Idle: cfg.SessionIdle, Absolute: cfg.SessionAbsolute, MaxFailures: cfg.LockAfter, LockFor: cfg.LockFor, SignInRate: cfg.SignInRate,
		Policy:       identity.PasswordPolicy{MinLength: cfg.PasswordMinLength, MaxAge: cfg.PasswordMaxAge},
		SecondFactor: identity.SecondFactorRule(cfg.SecondFactor),
		NoPasswords:  !cfg.PasswordSignIn,

		CheckAuthority: catalog.CheckAuthority,
		OpenID: identity.OpenIDOptions{
			Issuer: cfg.OpenIDIssuer, ClientID: cfg.OpenIDClientID, ClientSecret: cfg.OpenIDClientSecret,
			RedirectURL: cfg.PublicURL + OpenIDPath, UsernameClaim: cfg.OpenIDUsernameClaim, TrustFactors: cfg.OpenIDTrustFactors,
		},
	}
}

// checkPeople refuses settings that would leave people outside.
func checkPeople(cfg config.Config) error {
	var wrong []fault.Field
	if cfg.OpenIDIssuer != "" && (cfg.OpenIDClientID == "" || cfg.PublicURL == "") {
		wrong = append(wrong, fault.Field{
			Name: "SHUQIAO_OPENID_ISSUER", Code: "incomplete", Message: "set SHUQIAO_OPENID_CLIENT_ID and SHUQIAO_PUBLIC_URL, too",
		})
	}
	if !cfg.PasswordSignIn && cfg.OpenIDIssuer == "" {
		wrong = append(wrong, fault.Field{
			Name: "SHUQIAO_PASSWORD_SIGN_IN", Code: "incomplete", Message: "name an OpenID provider before passwords are closed",
		})
	}
	return fault.InvalidFields(wrong)
}

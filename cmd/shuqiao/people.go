package main

// serveFlagsOfPeople are the flags of serve about how persons sign in.
type serveFlagsOfPeople struct {
	PasswordMinLength   string `name:"password-min-length" help:"Fewest characters of a password." placeholder:"N"`
	PasswordMaxAge      string `name:"password-max-age" help:"Days until a password must be changed, such as 90d; 0 for never." placeholder:"DAYS"`
	LockAfter           string `name:"lock-after" help:"Wrong answers in a row that lock an account." placeholder:"N"`
	LockFor             string `name:"lock-for" help:"How long an account stays locked." placeholder:"DURATION"`
	SessionIdle         string `name:"session-idle" help:"After how long without use a session ends." placeholder:"DURATION"`
	SessionAbsolute     string `name:"session-absolute" help:"After how long a session ends whatever its use." placeholder:"DURATION"`
	SignInRate          string `name:"sign-in-rate" help:"Sign-ins per minute and address." placeholder:"N"`
	SecondFactor        string `name:"second-factor" help:"Who must have a second factor: off, admins or all." placeholder:"RULE"`
	PasswordSignIn      string `name:"password-sign-in" help:"Whether people sign in by password: true or false." placeholder:"BOOL"`
	OpenIDIssuer        string `name:"openid-issuer" help:"OpenID provider at which people sign in." placeholder:"URL"`
	OpenIDClientID      string `name:"openid-client-id" help:"Client id of the hub there." placeholder:"ID"`
	OpenIDClientSecret  string `name:"openid-client-secret" help:"Secret of that client; better in a file, see docs/configuration.md." placeholder:"SECRET"`
	OpenIDUsernameClaim string `name:"openid-username-claim" help:"Claim that holds the user name." placeholder:"NAME"`
	OpenIDTrustFactors  string `name:"openid-trust-factors" help:"Whether the provider's second factor counts: true or false." placeholder:"BOOL"`
	PublicURL           string `name:"public-url" help:"Address under which people reach the hub." placeholder:"URL"`
	OpenDirectory       string `name:"open-directory" help:"Whether anyone may read what is open to the public: true or false." placeholder:"BOOL"`
}

// people returns the flags that were given, by their names in the table of options.
func (f serveFlagsOfPeople) people() map[string]string {
	return given(map[string]string{
		"password-min-length": f.PasswordMinLength, "password-max-age": f.PasswordMaxAge, "lock-after": f.LockAfter, "lock-for": f.LockFor,
		"session-idle": f.SessionIdle, "session-absolute": f.SessionAbsolute, "sign-in-rate": f.SignInRate, "second-factor": f.SecondFactor,
		"password-sign-in": f.PasswordSignIn, "openid-issuer": f.OpenIDIssuer, "openid-client-id": f.OpenIDClientID,
		"openid-client-secret": f.OpenIDClientSecret, "openid-username-claim": f.OpenIDUsernameClaim,
		"openid-trust-factors": f.OpenIDTrustFactors, "public-url": f.PublicURL,
		"open-directory": f.OpenDirectory,
	})
}

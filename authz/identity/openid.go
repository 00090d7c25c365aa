package identity

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// OpenIDOptions name the OpenID provider at which people may sign in. The zero value names none.
type OpenIDOptions struct {
	Issuer        string // As its discovery document says, such as https://id.example.gov.cn/realms/city.
	ClientID      string
	ClientSecret  secret.Secret
	RedirectURL   string // Where the provider sends people back to.
	UsernameClaim string // Holds the hub's user name; "" means preferred_username.
	// TrustFactors takes the provider's word (claim amr with otp, mfa or hwk; RFC 8176) for the second factor.
	TrustFactors bool
	HTTP         *http.Client // nil means one with a timeout of 10 s.
}

// openIDFlowFor is how long somebody may be at the provider.
const openIDFlowFor = 10 * time.Minute

const sealedFlow = "openid flow"

// openID talks to the provider. The provider is looked up at the first use: the hub starts without it.
type openID struct {
	opt     OpenIDOptions
	keyring *secret.Keyring
	clock   func() time.Time

	mu       sync.Mutex
	provider *oidc.Provider
}

// flow is what the hub has to remember while somebody is at the provider. Their browser keeps it, sealed.
type flow struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Expires  time.Time `json:"expires"`
}

func newOpenID(opt OpenIDOptions, keyring *secret.Keyring, clock func() time.Time) *openID {
	if opt.UsernameClaim == "" {
		opt.UsernameClaim = "preferred_username"
	}
	if opt.HTTP == nil {
		opt.HTTP = &http.Client{Timeout: 10 * time.Second}
	}
	return &openID{opt: opt, keyring: keyring, clock: clock}
}

// HasOpenID reports whether people may sign in at an OpenID provider.
func (s *Service) HasOpenID() bool { return s.openID.opt.Issuer != "" && s.opt.Keyring != nil }

func (o *openID) config(ctx context.Context) (*oidc.Provider, oauth2.Config, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider == nil {
		// The keys of the provider are fetched again later, by the context of now.
		provider, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), o.opt.HTTP), o.opt.Issuer)
		if err != nil {
			return nil, oauth2.Config{}, fault.New(fault.Unavailable, "openid_unavailable",
				"the OpenID provider does not answer as one; sign in by password or try again later").At("identity").Wrap(err)
		}
		o.provider = provider
	}
	return o.provider, oauth2.Config{
		ClientID: o.opt.ClientID, ClientSecret: o.opt.ClientSecret.Reveal(), RedirectURL: o.opt.RedirectURL,
		Endpoint: o.provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "profile"},
	}, nil
}

// OpenIDStart returns the provider's address to send a browser to, and the sealed flow that the browser has to keep and hand
// to OpenIDFinish within ten minutes. It returns a NotFound fault "no_openid" where no provider is named.
func (s *Service) OpenIDStart(ctx context.Context) (address, kept string, err error) {
	if !s.HasOpenID() {
		return "", "", noOpenID()
	}
	_, cfg, err := s.openID.config(ctx)
	if err != nil {
		return "", "", err
	}
	state, _ := secret.NewToken("")
	nonce, _ := secret.NewToken("")
	f := flow{State: state, Nonce: nonce, Verifier: oauth2.GenerateVerifier(), Expires: s.follower.Now().Add(openIDFlowFor)}
	raw, err := json.Marshal(f)
	if err != nil {
		return "", "", fmt.Errorf("encoding an OpenID flow: %w", err)
	}
	sealed, err := s.opt.Keyring.Seal(sealedFlow, raw, nil)
	if err != nil {
		return "", "", fmt.Errorf("sealing an OpenID flow: %w", err)
	}
	address = cfg.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier))
	return address, base64.RawURLEncoding.EncodeToString(sealed), nil
}

func noOpenID() *fault.Fault {
	return fault.New(fault.NotFound, "no_openid", "this hub knows no OpenID provider; sign in by password")
}

// claims are what the hub reads of a provider's tokens.
type claims struct {
	Subject string
	Name    string   // Of the claim that holds the user name.
	AMR     []string // How the provider recognised the person (RFC 8176).
}

// OpenIDFinish opens a session for somebody who comes back from the provider with a state and a code. The account must exist
// and be active: at the first sign-in it is found by user name and linked to the provider's subject, from then on by the
// subject alone. Who has a second factor here gets what SignIn gives them. Faults are Unauthenticated: "openid_flow_over" for a
// flow that is foreign or too old, "openid_refused" for a code the provider does not honour, "openid_unknown" for a person without an
// account.
func (s *Service) OpenIDFinish(ctx context.Context, kept, state, code string, address netip.Addr) (string, Session, error) {
	if !s.HasOpenID() {
		return "", Session{}, noOpenID()
	}
	if err := s.admitAddress(address); err != nil {
		return "", Session{}, err
	}
	f, err := s.openFlow(kept, state)
	if err != nil {
		return "", Session{}, err
	}
	c, err := s.openID.claims(ctx, f, code)
	if err != nil {
		return "", Session{}, err
	}
	who, link, err := s.openIDAccount(ctx, c)
	if err != nil {
		return "", Session{}, err
	}
	how := entry{method: byOpenID, secondFactor: s.openID.opt.TrustFactors && provesFactor(c.AMR), address: address}
	return s.recognised(ctx, who, how, func(tx *db.Tx) (bool, error) {
		tag, err := tx.Exec(ctx, `
			UPDATE hub_user SET openid_issuer = $2, openid_subject = $3
			WHERE id = $1 AND state = 'active' AND coalesce(locked_until <= clock_timestamp(), true)
				AND (openid_subject IS NULL OR openid_issuer = $2 AND openid_subject = $3)`, who.ID, s.openID.opt.Issuer, c.Subject)
		if err != nil || tag.RowsAffected() != 1 || !link {
			return tag.RowsAffected() == 1, err
		}
		_, err = audit.WriteTx(ctx, tx, audit.Event{
			Actor: who.actor(), Action: "user.link_openid", Object: audit.Object{Kind: string(authz.KindUser), ID: who.ID.String()},
			Detail: map[string]any{"issuer": s.openID.opt.Issuer},
		})
		return true, err
	})
}

// openFlow opens what the browser kept and compares the state.
func (s *Service) openFlow(kept, state string) (flow, error) {
	over := fault.New(fault.Unauthenticated, "openid_flow_over", "this sign-in is over or was not begun here; begin again").At("identity")
	sealed, err := base64.RawURLEncoding.DecodeString(kept)
	if err != nil {
		return flow{}, over
	}
	raw, err := s.opt.Keyring.Open(sealedFlow, sealed, nil)
	if err != nil {
		return flow{}, over
	}
	var f flow
	if err := json.Unmarshal(raw, &f); err != nil {
		return flow{}, over
	}
	if subtle.ConstantTimeCompare([]byte(f.State), []byte(state)) != 1 || !s.follower.Now().Before(f.Expires) {
		return flow{}, over
	}
	return f, nil
}

// claims exchanges the code and verifies the ID token: signature, issuer, audience, expiry and nonce. Providers that keep the
// user name out of the token are asked for it.
func (o *openID) claims(ctx context.Context, f flow, code string) (claims, error) {
	refused := fault.New(fault.Unauthenticated, "openid_refused", "the OpenID provider does not confirm this sign-in; begin again").At("identity")
	provider, cfg, err := o.config(ctx)
	if err != nil {
		return claims{}, err
	}
	ctx = oidc.ClientContext(ctx, o.opt.HTTP)
	token, err := cfg.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return claims{}, refused.Wrap(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: o.opt.ClientID, Now: o.clock}).Verify(ctx, raw)
	if err != nil {
		return claims{}, refused.Wrap(err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 || id.Subject == "" {
		return claims{}, refused
	}
	var all map[string]any
	if err := id.Claims(&all); err != nil {
		return claims{}, refused.Wrap(err)
	}
	c := claims{Subject: id.Subject}
	if list, ok := all["amr"].([]any); ok {
		for _, v := range list {
			text, _ := v.(string)
			c.AMR = append(c.AMR, text)
		}
	}
	if c.Name, _ = all[o.opt.UsernameClaim].(string); c.Name == "" && provider.UserInfoEndpoint() != "" {
		info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return claims{}, refused.Wrap(err)
		}
		var more map[string]any
		if err := info.Claims(&more); err != nil || info.Subject != id.Subject {
			return claims{}, refused
		}
		c.Name, _ = more[o.opt.UsernameClaim].(string)
	}
	return c, nil
}

// provesFactor reports whether a provider says that it asked for a second factor (RFC 8176, 2).
func provesFactor(amr []string) bool {
	return slices.ContainsFunc(amr, func(m string) bool { return m == "otp" || m == "mfa" || m == "hwk" })
}

// openIDAccount finds whose account a subject is; link says that it is found by name and to be linked.
func (s *Service) openIDAccount(ctx context.Context, c claims) (who account, link bool, err error) {
	who, err = findAccount(ctx, s.db.Pool, "openid_issuer = $1 AND openid_subject = $2", s.openID.opt.Issuer, c.Subject)
	if fault.Is(err, fault.NotFound) && usernameForm.MatchString(c.Name) {
		who, err = findAccount(ctx, s.db.Pool, "username = $1 AND openid_subject IS NULL", c.Name)
		link = err == nil
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return account{}, false, err
	}
	if err == nil && who.State == Active {
		return who, link, nil
	}
	actor, reason := audit.Actor{Kind: audit.ActorSystem, ID: "sign-in"}, "no account for the subject"
	if err == nil {
		actor, reason = who.actor(), "disabled"
	}
	_, err = audit.Write(ctx, s.db, audit.Event{
		Actor: actor, Action: string(sessionOpen), Object: audit.Object{Kind: "session"}, Outcome: audit.Denied,
		Detail: map[string]any{"method": byOpenID, "reason": reason},
	})
	if err != nil {
		return account{}, false, err
	}
	return account{}, false, fault.New(fault.Unauthenticated, "openid_unknown",
		"the OpenID provider knows you, but no open account of this hub is yours; ask its administrator").At("identity")
}

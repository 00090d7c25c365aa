// openidtest is an OpenID provider for tests, in a process of its own: the example server of zitadel/oidc on a port of this
// machine, with people from a file. It stands in a module of its own, so that the hub does not depend on it.
//
// It takes the people's file and the redirect address, prints its issuer as the first line, and ends when its input does. People
// whose FirstName is "Otp" have signed in with a one-time code as far as their tokens say.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

func main() {
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(file, redirect string) error {
	people, err := storage.StoreFromFile(file)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	issuer := "http://" + listener.Addr().String() + "/"
	storage.RegisterClients(storage.WebClient("hub", "provider-secret", redirect))
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	server := &http.Server{
		Handler:           exampleop.SetupServer(issuer, &withFactors{storage.NewStorage(people), people}, log, false),
		ReadHeaderTimeout: 5 * time.Second,
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	fmt.Println(issuer)
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// withFactors says of some people that they used a one-time code.
type withFactors struct {
	*storage.Storage
	people storage.UserStore
}

func (s *withFactors) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	r, err := s.Storage.AuthRequestByCode(ctx, code)
	if err != nil {
		return nil, err
	}
	if u := s.people.GetUserByID(r.GetSubject()); u != nil && u.FirstName == "Otp" {
		return byCode{r}, nil
	}
	return r, nil
}

type byCode struct{ op.AuthRequest }

func (byCode) GetAMR() []string { return []string{"pwd", "otp"} }

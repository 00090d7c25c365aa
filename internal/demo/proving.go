package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// databaseOf returns the name of the database that a connection URL leads to.
func databaseOf(url string) string {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return ""
	}
	return config.Database
}

// prove verifies the evidence, alters one event behind the hub's back, and shows that verification names it.
func (s *story) prove(ctx context.Context) error {
	s.tell.Step(7, "Proving: the log says who did what, and nobody can rewrite it unseen")
	output, passed, err := s.VerifyAudit(ctx)
	if err != nil {
		return fmt.Errorf("verifying the evidence: %w", err)
	}
	if !passed {
		return untrue("the evidence does not verify: %s", output)
	}
	s.tell.Done("shuqiao audit verify: %s", lastLine(output))
	event, err := s.alter(ctx)
	if err != nil {
		return err
	}
	output, passed, verifyErr := s.VerifyAudit(ctx)
	if err := s.restore(ctx); err != nil {
		return err
	}
	switch {
	case verifyErr != nil:
		return fmt.Errorf("verifying the evidence: %w", verifyErr)
	case passed:
		return untrue("an altered event was not noticed")
	case !strings.Contains(output, event):
		return untrue("the verification fails without naming the altered event %s: %s", event, output)
	}
	s.tell.Done("Somebody with all rights on the database alters the approval of the grant: the verification fails and names it.")
	for _, line := range strings.Split(output, "\n") {
		if strings.Contains(line, event) {
			s.tell.Note("%s", strings.TrimSpace(line))
			break
		}
	}
	if output, passed, err = s.VerifyAudit(ctx); err != nil {
		return fmt.Errorf("verifying the evidence: %w", err)
	}
	if !passed {
		return untrue("the evidence does not verify after the event was put back: %s", output)
	}
	s.tell.Done("The event is put back as it was, and the verification passes again.")
	return nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// alter changes the approval of the population grant in the hub's own database, and returns the event's id. What it said
// is kept first, so that also a start after a kill can put it back.
func (s *story) alter(ctx context.Context) (string, error) {
	conn, err := pgx.Connect(ctx, s.HubDatabase)
	if err != nil {
		return "", fmt.Errorf("connecting to the hub's database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var was alteredEvent
	err = s.until(ctx, 30*time.Second, "the approval to be sealed", func() (bool, error) {
		err := conn.QueryRow(ctx, `
			SELECT e.id::text, e.body FROM event e JOIN leaf l ON l.event_id = e.id
			WHERE e.action = 'request.approve' AND e.outcome = 'ok' ORDER BY e.at LIMIT 1`).Scan(&was.ID, &was.Body)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return "", fmt.Errorf("choosing an event: %w", err)
	}
	s.kept.Altered = &was
	if err := s.kept.save(); err != nil {
		return "", err
	}
	altered := bytes.Replace(was.Body, []byte(`"ok"`), []byte(`"no"`), 1)
	if bytes.Equal(altered, was.Body) {
		altered = append(bytes.Clone(was.Body), ' ')
	}
	if err := setBody(ctx, conn, was.ID, altered); err != nil {
		return "", fmt.Errorf("altering an event: %w", err)
	}
	return was.ID, nil
}

// setBody writes the body of an event behind the hub's back. The hub takes the right to update events even from the owner
// of its tables; an owner who means harm gives it back to himself, and only a superuser needs nothing.
func setBody(ctx context.Context, conn *pgx.Conn, id string, body []byte) error {
	const update = "UPDATE event SET body = $2 WHERE id = $1"
	_, err := conn.Exec(ctx, update, id, body)
	if sqlState(err) != insufficientPrivilege {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "GRANT UPDATE ON event TO CURRENT_USER"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, update, id, body); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "REVOKE UPDATE ON event FROM CURRENT_USER")
		return err
	})
}

// restore puts an altered event back, the one of this start or of one that was killed. It does so also when the story is
// being stopped.
func (s *story) restore(ctx context.Context) error {
	was := s.kept.Altered
	if was == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.HubDatabase)
	if err != nil {
		return fmt.Errorf("connecting to the hub's database: %w", err)
	}
	defer conn.Close(ctx)
	if err := setBody(ctx, conn, was.ID, was.Body); err != nil {
		return fmt.Errorf("putting the altered event back: %w", err)
	}
	s.kept.Altered = nil
	return s.kept.save()
}

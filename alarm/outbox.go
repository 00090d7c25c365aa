package alarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

const (
	claimAtOnce = 16             // Messages a node takes in one go, and sends side by side.
	claimFor    = time.Minute    // When a message whose node died is due again; well above the limit of sending one.
	mostPause   = time.Hour      // Between two attempts.
	giveUpAfter = 24 * time.Hour // From the event.
)

// DeliveryState says where a message is.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryWaiting DeliveryState = "waiting" // For its first or next attempt.
	DeliverySent    DeliveryState = "sent"    // The receiver has confirmed it.
	DeliveryGivenUp DeliveryState = "given_up"
)

// DeliveryStates returns every state once.
func DeliveryStates() []DeliveryState {
	return []DeliveryState{DeliveryWaiting, DeliverySent, DeliveryGivenUp}
}

// Delivery is a message on its way through one channel.
type Delivery struct {
	ID        uuid.UUID     `json:"id"` // What receivers know a repetition by.
	ChannelID uuid.UUID     `json:"channel_id"`
	AlarmID   uuid.UUID     `json:"alarm_id"`
	Event     Event         `json:"event"`
	State     DeliveryState `json:"state"`
	Attempts  int           `json:"attempts"`
	NextAt    time.Time     `json:"next_at"`
	Code      string        `json:"code"` // Why the last attempt failed; "" when none did.
	CreatedAt time.Time     `json:"created_at"`
	EndedAt   *time.Time    `json:"ended_at,omitempty"`
}

// Deliveries lists the messages of a channel, newest first.
func (s *Service) Deliveries(ctx context.Context, p authz.Principal, channel uuid.UUID, page db.Page) ([]Delivery, string, error) {
	if _, err := s.Channel(ctx, p, channel); err != nil {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	found, err := db.Collect(ctx, s.db.Pool, func(row pgx.Row) (d Delivery, err error) {
		err = row.Scan(&d.ID, &d.ChannelID, &d.AlarmID, &d.Event, &d.State, &d.Attempts, &d.NextAt, &d.Code, &d.CreatedAt, &d.EndedAt)
		d.NextAt, d.CreatedAt, d.EndedAt = d.NextAt.UTC(), d.CreatedAt.UTC(), db.UTC(d.EndedAt)
		return d, err
	}, `
		SELECT id, channel_id, alarm_id, event, state, attempts, next_at, code, created_at, ended_at FROM alarm_delivery
		WHERE channel_id = $1 AND (NOT $2 OR (created_at, id) < ($3, $4)) ORDER BY created_at DESC, id DESC LIMIT $5`,
		channel, more, at, id, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing deliveries: %w", err)
	}
	found, next := db.Cut(found, page, func(d Delivery) string { return db.Next(d.CreatedAt, d.ID) })
	return found, next, nil
}

// post puts messages into the outbox.
func post(ctx context.Context, tx *db.Tx, messages []delivery) error {
	for _, d := range messages {
		body, err := json.Marshal(d.message)
		if err != nil {
			return fmt.Errorf("encoding a message: %w", err)
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO alarm_delivery (id, channel_id, alarm_id, event, body, state, next_at, created_at) VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $6)`,
			d.message.ID, d.channel, d.message.Alarm.ID, d.message.Event, string(body), tx.Now())
		if err != nil {
			return fmt.Errorf("posting a message: %w", err)
		}
	}
	return nil
}

// claimed is a message that this node sends.
type claimed struct {
	id       uuid.UUID
	channel  uuid.UUID
	body     string
	attempts int
	created  time.Time
}

// Send sends the messages that are due, and returns how many have arrived. Any number of nodes may send at once: each takes
// messages that no other has, and what a node took and did not settle is due again a minute later.
func (s *Service) Send(ctx context.Context) (int, error) {
	arrived := 0
	for {
		taken, err := db.Collect(ctx, s.db.Pool, func(row pgx.Row) (c claimed, err error) {
			return c, row.Scan(&c.id, &c.channel, &c.body, &c.attempts, &c.created)
		}, `
			UPDATE alarm_delivery d SET attempts = d.attempts + 1, next_at = clock_timestamp() + $2::interval
			WHERE d.id IN (
				SELECT w.id FROM alarm_delivery w JOIN alarm_channel c ON c.id = w.channel_id AND c.state = 'enabled'
				WHERE w.state = 'waiting' AND w.next_at <= clock_timestamp() ORDER BY w.next_at, w.id LIMIT $1 FOR UPDATE OF w SKIP LOCKED)
			RETURNING d.id, d.channel_id, d.body, d.attempts, d.created_at`, claimAtOnce, claimFor)
		if err != nil {
			return arrived, fmt.Errorf("taking messages: %w", err)
		}
		if len(taken) == 0 {
			return arrived, nil
		}
		failures := make([]error, len(taken))
		codes := make([]string, len(taken))
		var wait sync.WaitGroup
		for i, c := range taken {
			wait.Go(func() { codes[i], failures[i] = s.deliver(ctx, c) })
		}
		wait.Wait()
		for i := range taken {
			if failures[i] == nil && codes[i] == "" {
				arrived++
			}
		}
		if err := errors.Join(failures...); err != nil || len(taken) < claimAtOnce {
			return arrived, err
		}
	}
}

// deliver sends one message and writes down what became of it.
func (s *Service) deliver(ctx context.Context, c claimed) (code string, err error) {
	channel, err := scanChannel(s.db.Pool.QueryRow(ctx, "SELECT "+channelColumns+channelTables+" WHERE c.id = $1", c.channel))
	if db.NoRows(err) {
		return "", nil // Deleted meanwhile, and the message with it.
	}
	if err != nil {
		return "", fmt.Errorf("reading channel %s: %w", c.channel, err)
	}
	code = s.send(ctx, channel, []byte(c.body))
	if ctx.Err() != nil {
		return code, nil // The node stops: whether it arrived is not known, so it is sent again.
	}
	if code == "" {
		_, err = s.db.Pool.Exec(ctx, "UPDATE alarm_delivery SET state = 'sent', code = '', ended_at = clock_timestamp() WHERE id = $1", c.id)
	} else {
		s.log.WarnContext(ctx, "a message about an alarm did not arrive", "channel", c.channel, "delivery", c.id, "code", code, "attempt", c.attempts)
		_, err = s.db.Pool.Exec(ctx, `
			UPDATE alarm_delivery SET code = $2, next_at = clock_timestamp() + $3::interval,
				state = CASE WHEN created_at + $4::interval < clock_timestamp() + $3::interval THEN 'given_up' ELSE state END,
				ended_at = CASE WHEN created_at + $4::interval < clock_timestamp() + $3::interval THEN clock_timestamp() END
			WHERE id = $1 AND state = 'waiting'`, c.id, code, s.pause(c.attempts), giveUpAfter)
	}
	if err != nil {
		return code, fmt.Errorf("settling delivery %s: %w", c.id, err)
	}
	return code, nil
}

// pause is how long to wait after a number of failed attempts.
func (s *Service) pause(attempts int) time.Duration {
	pause := s.opt.FirstRetry
	for range min(attempts-1, 20) {
		pause *= 2
	}
	return min(pause, mostPause)
}

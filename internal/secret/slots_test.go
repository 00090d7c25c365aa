package secret

import (
	"context"
	"testing"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// While every slot is taken a sign-in waits, and gives up with sign_in_busy when its context ends; a freed slot serves
// the next one.
func TestPasswordSlotsBoundTheWork(t *testing.T) {
	t.Parallel()
	p := NewPasswords(PasswordParams{MemoryKiB: 64, Time: 1, Parallelism: 1, Concurrent: 1})
	p.slots <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.VerifyNobody(ctx, "x") }()
	select {
	case err := <-done:
		t.Fatalf("computed without a slot: %v", err)
	default:
	}
	cancel()
	if err := <-done; fault.CodeOf(err) != "sign_in_busy" {
		t.Errorf("got %v", err)
	}
	<-p.slots
	if err := p.VerifyNobody(t.Context(), "x"); err != nil {
		t.Errorf("with a free slot: %v", err)
	}
	if len(p.slots) != 0 {
		t.Error("the slot was not given back")
	}
}

package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// quiet is how long something may take, where the output is no terminal, before a line says that it goes on.
const quiet = 5 * time.Second

// Teller writes the story for people. It may be used by several goroutines; its methods never fail, since a story that
// nobody reads any more still sets up the hub.
type Teller struct {
	out      io.Writer
	terminal bool // A passing line may be overwritten.
	clock    func() time.Time

	mu      sync.Mutex
	began   time.Time // Of the story.
	mark    time.Time // Of the claim being worked on.
	said    time.Time // When the last line was written.
	passing bool      // A passing line is on the terminal.
}

// NewTeller makes a teller that writes to out. terminal says whether lines can be overwritten there.
func NewTeller(out io.Writer, terminal bool, clock func() time.Time) *Teller {
	now := clock()
	return &Teller{out: out, terminal: terminal, clock: clock, began: now, mark: now, said: now}
}

// Step opens a step of the story.
func (t *Teller) Step(number int, title string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line("\n%d  %s", number, title)
	t.mark = t.clock()
}

// Note says something beside the claims.
func (t *Teller) Note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line("     "+format, args...)
}

// Done says that a claim was checked and holds, and how long it took since the last one.
func (t *Teller) Done(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	t.line("   ✓ %s%s", fmt.Sprintf(format, args...), took(now.Sub(t.mark)))
	t.mark = now
}

// Refused says that the hub refused what the story tried on purpose, with the code callers get.
func (t *Teller) Refused(code, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line("   ⨯ %s → refused: %s", fmt.Sprintf(format, args...), code)
	t.mark = t.clock()
}

// Already says that an earlier start did this.
func (t *Teller) Already(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line("   = %s (done by an earlier start)", fmt.Sprintf(format, args...))
	t.mark = t.clock()
}

// Passing shows progress: over the same line on a terminal, and elsewhere only when nothing was said for a while.
func (t *Teller) Passing(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.terminal:
		_, _ = fmt.Fprintf(t.out, "\r\033[K   … "+format, args...)
		t.passing = true
	case t.clock().Sub(t.said) >= quiet:
		t.line("   … "+format, args...)
	}
}

// Elapsed is the time since the story began.
func (t *Teller) Elapsed() time.Duration { return t.clock().Sub(t.began) }

// Text writes a block of lines as it is.
func (t *Teller) Text(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line("%s", text)
}

func (t *Teller) line(format string, args ...any) {
	if t.passing {
		_, _ = io.WriteString(t.out, "\r\033[K")
		t.passing = false
	}
	_, _ = io.WriteString(t.out, strings.TrimRight(fmt.Sprintf(format, args...), " ")+"\n")
	t.said = t.clock()
}

// took is a duration for people, "" when it is not worth a word.
func took(d time.Duration) string {
	if d < 50*time.Millisecond {
		return ""
	}
	return fmt.Sprintf("  (%.1f s)", d.Seconds())
}

// thousands writes a number as people read it: 200,000.
func thousands[T int | int64](n T) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

package audit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Checkpoint is a signed statement of what the log held: with it, any later change of the first Size events shows. It
// protects what it states once a copy has left the machine.
type Checkpoint struct {
	Size     int64     `json:"size"`      // Number of leaves.
	Root     tlog.Hash `json:"root"`      // RFC 6962 tree hash; base64 in JSON.
	Note     string    `json:"note"`      // The signed note, see FormatCheckpoint.
	SignedAt time.Time `json:"signed_at"` // Database time, UTC; not covered by the signature.
}

// signCheckpoint makes the note. Its text is that of a C2SP tlog-checkpoint: three lines with the signer's name, the
// number of leaves in decimal, and the root in base64.
func signCheckpoint(size int64, root tlog.Hash, signer note.Signer) (string, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n", signer.Name(), size, root)
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		return "", fmt.Errorf("signing checkpoint of %d leaves: %w", size, err)
	}
	return string(signed), nil
}

var errCheckpointText = errors.New("the note is not a checkpoint: expected lines with a name, a size and a root")

// OpenCheckpoint checks a checkpoint's signature against the verifier keys, any one of which suffices, and returns its
// size and root. It returns an Invalid fault: "verifier_key" for a malformed key, "checkpoint_signature" when no key given
// made the signature, "checkpoint_malformed" when the note says something else.
func OpenCheckpoint(signed string, verifierKeys ...string) (size int64, root tlog.Hash, err error) {
	verifiers, err := newVerifiers(verifierKeys)
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	return openCheckpoint(signed, verifiers)
}

func openCheckpoint(signed string, verifiers note.Verifiers) (int64, tlog.Hash, error) {
	n, err := note.Open([]byte(signed), verifiers)
	if err != nil {
		return 0, tlog.Hash{}, fault.New(fault.Invalid, "checkpoint_signature",
			"the checkpoint is not signed by any of the keys given, or was changed").Wrap(err)
	}
	size, root, err := parseCheckpoint(n.Text)
	if err != nil {
		return 0, tlog.Hash{}, malformedCheckpoint(err)
	}
	return size, root, nil
}

// readCheckpoint is openCheckpoint for a caller who has no key: it reads what the note says without believing it.
func readCheckpoint(signed string) (int64, tlog.Hash, error) {
	_, err := note.Open([]byte(signed), note.VerifierList())
	unverified, ok := errors.AsType[*note.UnverifiedNoteError](err)
	if !ok {
		return 0, tlog.Hash{}, malformedCheckpoint(errCheckpointText)
	}
	size, root, err := parseCheckpoint(unverified.Note.Text)
	if err != nil {
		return 0, tlog.Hash{}, malformedCheckpoint(err)
	}
	return size, root, nil
}

func malformedCheckpoint(cause error) error {
	return fault.New(fault.Invalid, "checkpoint_malformed", "the text is no signed checkpoint").Wrap(cause)
}

func parseCheckpoint(text string) (int64, tlog.Hash, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] == "" {
		return 0, tlog.Hash{}, errCheckpointText
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return 0, tlog.Hash{}, errCheckpointText
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return 0, tlog.Hash{}, errCheckpointText
	}
	return size, root, nil
}

func newVerifiers(keys []string) (note.Verifiers, error) {
	list := make([]note.Verifier, 0, len(keys))
	for i, key := range keys {
		v, err := note.NewVerifier(strings.TrimSpace(key))
		if err != nil {
			return nil, fault.New(fault.Invalid, "verifier_key",
				"verifier key %d is malformed; expected the form <name>+<hash>+<key>", i+1)
		}
		list = append(list, v)
	}
	return note.VerifierList(list...), nil
}

package db

import (
	"fmt"

	"github.com/google/uuid"
)

// NewID returns a UUID version 7: unique, and ordered by the time of creation.
func NewID() uuid.UUID {
	id, err := uuid.NewV7()
	if err != nil {
		// Only an exhausted entropy source can do this; nothing the hub does would be safe then.
		panic(fmt.Sprintf("making an id: %v", err))
	}
	return id
}

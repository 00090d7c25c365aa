package pull

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Files is where exports keep their sealed files. Names are made of letters, digits, dashes and dots.
type Files interface {
	// Create makes a file, or empties the one there is. What was written is durable when Close returns nil.
	Create(name string) (io.WriteCloser, error)
	// Open opens a file for reading any part of it. An error that fs.ErrNotExist matches says that there is none.
	Open(name string) (File, error)
	// Remove removes a file; one that does not exist is removed already.
	Remove(name string) error
	// Used returns how many bytes all files take.
	Used() (int64, error)
	// List returns the names of files that were last written before a moment.
	List(before time.Time) ([]string, error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.Closer
}

// exportSuffix ends the names of the files, so that nothing else in the folder is touched.
const exportSuffix = ".export"

// Folder keeps files in a local folder, or in one that several nodes share.
type Folder struct {
	root *os.Root
}

// OpenFolder opens the folder, making it where there is none, for the user of the hub alone.
func OpenFolder(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of exports: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of exports: %w", err)
	}
	return &Folder{root: root}, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Create makes a file that only the user of the hub can read.
func (f *Folder) Create(name string) (io.WriteCloser, error) {
	file, err := f.root.OpenFile(name+exportSuffix, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making an export's file: %w", err)
	}
	return syncedFile{file}, nil
}

// syncedFile is durable when it is closed.
type syncedFile struct{ *os.File }

// Close writes everything to the disk first.
func (f syncedFile) Close() error { return errors.Join(f.Sync(), f.File.Close()) }

// Open opens a file.
func (f *Folder) Open(name string) (File, error) {
	file, err := f.root.Open(name + exportSuffix)
	if err != nil {
		return nil, fmt.Errorf("opening an export's file: %w", err)
	}
	return file, nil
}

// Remove removes a file.
func (f *Folder) Remove(name string) error {
	if err := f.root.Remove(name + exportSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing an export's file: %w", err)
	}
	return nil
}

// List lists old files.
func (f *Folder) List(before time.Time) ([]string, error) {
	var names []string
	err := f.each(func(name string, info fs.FileInfo) {
		if info.ModTime().Before(before) {
			names = append(names, name)
		}
	})
	return names, err
}

// Used adds the sizes up.
func (f *Folder) Used() (int64, error) {
	var used int64
	err := f.each(func(_ string, info fs.FileInfo) { used += info.Size() })
	return used, err
}

// each calls visit for every file of an export.
func (f *Folder) each(visit func(name string, info fs.FileInfo)) error {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return fmt.Errorf("listing the folder of exports: %w", err)
	}
	for _, entry := range entries {
		name, ours := strings.CutSuffix(filepath.Base(entry.Name()), exportSuffix)
		if !ours {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // It was removed since.
		}
		if err != nil {
			return fmt.Errorf("listing the folder of exports: %w", err)
		}
		visit(name, info)
	}
	return nil
}

var _ Files = (*Folder)(nil)

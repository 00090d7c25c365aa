package sheet

import (
	"archive/zip"
	"encoding/csv"
	"fmt"
	"io"
	"os"
)

// csvFiles writes both sheets as CSV files in one zip file, in UTF-8 with the mark that spreadsheets look for. The items wait on disk
// until the entries are written.
type csvFiles struct {
	archive *zip.Writer
	entries *csv.Writer
	items   *csv.Writer
	spool   *os.File
}

func newCSVFiles(w io.Writer) (*csvFiles, error) {
	c := &csvFiles{archive: zip.NewWriter(w)}
	out, err := c.archive.Create(Entries.Title() + ".csv")
	if err != nil {
		return nil, fmt.Errorf("beginning a zip file: %w", err)
	}
	if c.spool, err = os.CreateTemp("", "shuqiao-export-*"); err != nil {
		return nil, fmt.Errorf("keeping items on disk: %w", err)
	}
	c.entries, c.items = csv.NewWriter(out), csv.NewWriter(c.spool)
	headers := fullHeaders()
	for s, to := range map[Sheet]io.Writer{Entries: out, Items: c.spool} {
		if _, err := io.WriteString(to, "\uFEFF"); err != nil {
			return nil, err
		}
		for _, line := range [][]string{headers[s].Titles, headers[s].IDs} {
			if err := c.row(s, line, nil); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

func (c *csvFiles) row(s Sheet, cells []string, _ map[int]string) error {
	line := make([]string, len(cells))
	for i, cell := range cells {
		line[i] = harmless(cell)
	}
	if s == Entries {
		return c.entries.Write(line)
	}
	return c.items.Write(line)
}

func (c *csvFiles) finish(io.Writer) error {
	c.entries.Flush()
	c.items.Flush()
	if err := c.entries.Error(); err != nil {
		return err
	}
	if err := c.items.Error(); err != nil {
		return err
	}
	out, err := c.archive.Create(Items.Title() + ".csv")
	if err != nil {
		return err
	}
	if _, err := c.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(out, c.spool); err != nil {
		return err
	}
	return c.archive.Close()
}

func (c *csvFiles) close() error {
	err := c.spool.Close()
	_ = os.Remove(c.spool.Name())
	return err
}

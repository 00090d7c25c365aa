package config

import (
	"fmt"
	"io"
	"strings"
)

// sampleWidth is how many columns a line of explanation takes; a Chinese character takes two.
const sampleWidth = 100

// WriteSample writes a settings file that explains every option, in Chinese where lang is "zh-CN", else in English. Every
// setting in it is commented out and stands at its default, so that the file as it is changes nothing.
func WriteSample(w io.Writer, lang string) error {
	head := "Settings of Shuqiao. Take the # away from a line to set it; what stands there is the default. Give the file to the hub with " +
		"--config FILE. An environment variable of the same name wins over this file, and a command-line flag over both."
	secretNote := "Secret: never shown. Better kept in a file of its own, named by %s."
	if lang == "zh-CN" {
		head = "数桥的配置文件。去掉行首的 # 即为设置，所写的是默认值。用 --config 文件名 指明本文件。同名环境变量优先于本文件，命令行参数优先于二者。"
		secretNote = "密文项：不予显示。宜存放在单独的文件中，由 %s 指明。"
	}
	var b strings.Builder
	explain := func(text string) {
		for _, line := range wrap(text, sampleWidth) {
			b.WriteString("# " + line + "\n")
		}
	}
	explain(head)
	for _, o := range Options() {
		doc := o.Doc
		if lang == "zh-CN" {
			doc = o.DocZH
		}
		b.WriteString("\n")
		explain(doc)
		if o.Secret {
			explain(fmt.Sprintf(secretNote, o.FileEnv()))
			fmt.Fprintf(&b, "#%s=\n", o.FileEnv())
		}
		fmt.Fprintf(&b, "#%s=%s\n", o.Env, o.Default)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap breaks a text into lines at blanks, and between Chinese characters, which have none; never before a closing mark.
func wrap(text string, width int) []string {
	var lines []string
	var line []rune
	columns, breakAt := 0, 0
	for _, r := range text {
		wide := r >= 0x2E80
		if wide && len(line) > 0 && !strings.ContainsRune("，。；：、）》”", r) || r == ' ' {
			breakAt = len(line)
		}
		line = append(line, r)
		columns++
		if wide {
			columns++
		}
		if columns > width && breakAt > 0 {
			lines = append(lines, strings.TrimSpace(string(line[:breakAt])))
			line = []rune(strings.TrimSpace(string(line[breakAt:])))
			columns, breakAt = 0, 0
			for _, r := range line {
				columns++
				if r >= 0x2E80 {
					columns++
				}
			}
		}
	}
	if len(line) > 0 {
		lines = append(lines, string(line))
	}
	return lines
}

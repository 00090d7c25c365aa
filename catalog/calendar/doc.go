// Package calendar counts working days (工作日) as the limits of the sharing rules do: in Asia/Shanghai, weekends off unless
// a weekend day is a make-up working day (调休), statutory days off by the yearly notices of the State Council General
// Office. The day on which a limit starts is not counted (by analogy to 民法典 Art 201), and a limit ends with the last
// second of its last working day.
package calendar

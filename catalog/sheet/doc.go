// Package sheet carries entries of the directory in workbooks (xlsx) and in CSV, both ways.
//
// One table of columns is shared by the template, the export, the import and the documentation. An import is a job: the file
// is received, its cells are staged and checked, and what was checked is applied through the same rules as the form's. What is
// exported can be imported again and changes nothing.
package sheet

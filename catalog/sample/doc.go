// Package sample makes up rows of a resource from what its items state: data type, length, code list, validator and mask.
// Readers of the directory see by them what they would get. No row is read for it, and nobody and nothing in it can be real:
// identity numbers stand on a city's code, on which none are issued; organisation codes start with QQ, which no registrar
// assigns; telephone numbers lie in a block that no operator has; names and addresses hold the word for "example".
package sample

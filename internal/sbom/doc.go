// Command sbom lists what a binary of the hub was built from, as a CycloneDX 1.6 document in JSON (ECMA-424).
//
//	sbom -version v1.0.0 -time 2026-01-02T03:04:05Z -assets console/assets/package.json bin/shuqiao
//
// The list is read from the binary itself, where the Go linker has noted every module, so it cannot differ from what runs;
// the console's embedded style sheet, script and icons come from their pinned list. Equal input gives equal output.
package main

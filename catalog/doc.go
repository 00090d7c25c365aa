// Package catalog keeps what exists: departments and their systems, base databases, resources with versions and items,
// the sources they come from and the mounts that bind both.
//
// A resource is one directory entry. Its versions go through the review of the department and of the authority; the
// published one is what others see and ask for. Sharing, moving and reading rows are not decided here.
package catalog

package sharing

// CandidatesSQL is the query by which answers about the access to a resource or of a client find grants.
func CandidatesSQL(ofClients, past, refused bool) string {
	if ofClients {
		return candidatesSQL(ofClient, past, refused)
	}
	return candidatesSQL(ofResource, past, refused)
}

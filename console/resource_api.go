package console

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/edge"
)

// apiTab is how a program of the reader's department gets the data.
type apiTab struct {
	Choices  []grantChoice
	Grant    *grantChoice // The one that the programs below name; nil when there is none.
	Programs []program
	Base     string // Address of the API.
	ByAPI    bool   // The grant lets rows be called.
	Purpose  string
	Case     bool
	Schema   pull.Description
	OpenAPI  string // Address of the description of this grant.
}

// program is a ready example in one language.
type program struct {
	ID, Name, Text string
}

// ofThisHub is what may stand for a host in a program that readers copy into a shell.
var ofThisHub = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]{1,5})?$|^\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?$`)

// apiBase is the address of the API as the reader's own machine reaches this hub.
func (v *visit) apiBase() string {
	scheme, host := "http", v.r.Host
	if v.r.TLS != nil || edge.OriginOf(v.r).Secure {
		scheme = "https"
	}
	if !ofThisHub.MatchString(host) {
		host = "hub.example"
	}
	return scheme + "://" + host + "/api/v1"
}

func (v *visit) fillAPI(page *resourcePage) error {
	grants, err := v.usable(page.Resource)
	if err != nil {
		return err
	}
	t := &apiTab{Base: v.apiBase()}
	page.API = t
	choices, chosen := v.choices(grants)
	if t.Choices = choices; chosen == nil {
		return nil
	}
	for i := range choices {
		if choices[i].Chosen {
			t.Grant = &choices[i]
		}
	}
	for _, m := range chosen.ShareMethods {
		t.ByAPI = t.ByAPI || m == catalog.ByAPI
	}
	t.Purpose, t.Case = chosen.Purpose, chosen.CaseRequired
	if t.Schema, err = v.Describe(v.r.Context(), v.principal, chosen.ID); err != nil {
		return err
	}
	t.OpenAPI = prefix + "/resources/" + page.Resource.ID.String() + "/openapi/" + chosen.ID.String()
	t.Programs = programs(t.Base+"/data/"+page.Resource.ID.String()+"/rows", chosen.ID, chosen.Purpose, chosen.CaseRequired)
	return nil
}

// showOpenAPI sends the description of a grant for programs.
func (c *console) showOpenAPI(v *visit) error {
	grant, err := uuid.Parse(v.r.PathValue("grant"))
	if err != nil {
		return notFound()
	}
	d, err := v.Describe(v.r.Context(), v.principal, grant)
	if err != nil {
		return err
	}
	if d.Grant.ResourceID.String() != v.r.PathValue("id") {
		return notFound()
	}
	body, err := v.OpenAPI(d)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	v.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="openapi-%s.json"`, short(grant.String())))
	v.w.WriteHeader(http.StatusOK)
	_, err = v.w.Write(body)
	return err
}

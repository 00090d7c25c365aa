package console

import (
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// cartPage is what the reader has laid aside to ask for.
type cartPage struct {
	Rows  []cartRow
	Ready int // How many of them can be asked for now.
	Most  int
}

type cartRow struct {
	sharing.CartEntry
	Provider string
	Why      string // Key of the sentence that says why it cannot be asked for.
}

func (c *console) showCart(v *visit) error {
	page, err := v.cart()
	if err != nil {
		return err
	}
	return v.show("cart", "cart.title", page)
}

func (v *visit) cart() (cartPage, error) {
	all, err := v.Sharing.Cart(v.r.Context(), v.principal)
	if err != nil {
		return cartPage{}, err
	}
	page, names := cartPage{Most: sharing.CartSize}, v.names()
	for _, e := range all {
		row := cartRow{CartEntry: e, Provider: names.department(e.ProviderDeptID)}
		if e.Obstacle == "" {
			page.Ready++
		} else {
			row.Why = "obstacle." + string(e.Obstacle)
		}
		page.Rows = append(page.Rows, row)
	}
	return page, nil
}

// laidAside is the number on the menu. A menu is no reason to refuse a page, so a failure shows none.
func (v *visit) laidAside() int {
	n, err := v.Sharing.CountCart(v.r.Context(), v.principal)
	if err != nil {
		v.Logger.WarnContext(v.r.Context(), "counting a cart", "error", err)
	}
	return n
}

// cartMark is the button beside an entry of a list that lays it aside.
type cartMark struct {
	ID   uuid.UUID
	Name string
	In   bool   // It is laid aside.
	Just bool   // By the click that is answered.
	Why  string // What stands in the way.
}

// cartMarks are the buttons of entries that the reader may ask for, by the entry's id; nil for who asks for nothing.
func (v *visit) cartMarks(entries []catalog.Entry) map[uuid.UUID]*cartMark {
	if len(entries) == 0 || !v.may(authz.RequestCreate, v.own("request")) {
		return nil
	}
	aside, err := v.Sharing.Cart(v.r.Context(), v.principal)
	if err != nil {
		// A button less is no reason to refuse the list.
		v.Logger.WarnContext(v.r.Context(), "reading a cart", "error", err)
		return nil
	}
	marks := map[uuid.UUID]*cartMark{}
	for _, e := range entries {
		if e.State == catalog.Published && e.ShareType != catalog.Withheld && e.DepartmentID != v.principal.Department {
			in := slices.ContainsFunc(aside, func(c sharing.CartEntry) bool { return c.ResourceID == e.ID })
			marks[e.ID] = &cartMark{ID: e.ID, Name: e.Name, In: in}
		}
	}
	return marks
}

// addToCart lays a resource aside and leads back to it, so that the reader can go on looking. A button in a list is answered
// with what it becomes.
func (c *console) addToCart(v *visit) error {
	id, err := uuid.Parse(v.field("resource"))
	if err != nil {
		return notFound()
	}
	err = v.Sharing.AddToCart(v.r.Context(), v.principal, id)
	if v.r.Header.Get("HX-Target") == "cart-"+id.String() {
		mark := cartMark{ID: id, In: err == nil, Just: true}
		if err != nil {
			mark.Why = v.problem(err).Title
		}
		return v.part("directory", "cart_mark", mark)
	}
	if err != nil {
		if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Forbidden) {
			return err
		}
		page, read := v.cart()
		if read != nil {
			return read
		}
		return v.again("cart", "cart.title", page, err)
	}
	return v.to(prefix+"/resources/"+id.String(), "cart_add")
}

// removeFromCart takes one resource out, or with "all" every one.
func (c *console) removeFromCart(v *visit) error {
	var gone []uuid.UUID
	if v.field("all") != "" {
		all, err := v.Sharing.Cart(v.r.Context(), v.principal)
		if err != nil {
			return err
		}
		for _, e := range all {
			gone = append(gone, e.ResourceID)
		}
	} else {
		id, err := uuid.Parse(v.field("resource"))
		if err != nil {
			return notFound()
		}
		gone = append(gone, id)
	}
	if err := v.Sharing.RemoveFromCart(v.r.Context(), v.principal, gone...); err != nil {
		return err
	}
	return v.to(prefix+"/cart", "cart_remove")
}

// showCartForm is the form of requests for the resources of the cart that can be asked for; those that the address names, or
// all.
func (c *console) showCartForm(v *visit) error {
	page, err := v.cartForm(v.r.URL.Query()["resource"])
	if err != nil {
		return err
	}
	if len(page.Parts) == 0 {
		return v.to(prefix+"/cart", "")
	}
	page.Form = v.freshForm(page.Clients)
	return v.drawForm(page, nil)
}

// cartForm is the form for the named resources of the cart; the others of it wait.
func (v *visit) cartForm(named []string) (formPage, error) {
	all, err := v.Sharing.Cart(v.r.Context(), v.principal)
	if err != nil {
		return formPage{}, err
	}
	var ids []uuid.UUID
	for _, e := range all {
		if e.Obstacle == "" && (len(named) == 0 || slices.Contains(named, e.ResourceID.String())) {
			ids = append(ids, e.ResourceID)
		}
	}
	if len(ids) == 0 {
		return formPage{}, nil
	}
	page, err := v.newForm(ids...)
	if err != nil {
		return formPage{}, err
	}
	// One resource of the cart has the names of several, so that what was typed fits whatever else was in it.
	page.Several = true
	for n := range page.Parts {
		page.Parts[n].Prefix = partPrefix(page.Parts[n].Resource.ID)
	}
	page.Action, page.Back, page.BackTo, page.Keep = prefix+"/cart/request", prefix+"/cart", v.say("cart.title"), "request-cart"
	return page, nil
}

// createFromCart makes one request per resource of the form. Nothing is made while anything is wrong; what fails after all is
// named beside what was made, and stays in the cart.
func (c *console) createFromCart(v *visit) error {
	_ = v.field("client") // Parses the form.
	page, err := v.cartForm(v.r.PostForm["resource"])
	if err != nil {
		return err
	}
	if len(page.Parts) == 0 {
		return fault.New(fault.Conflict, "cart_changed", "nothing of this can be asked for any more; look at what you have laid aside")
	}
	v.read(&page)
	wrong := v.check(page)
	if v.field("then") == "preview" {
		return v.drawPreview(page, wrong)
	}
	if wrong != nil {
		return v.drawForm(page, wrong)
	}
	ctx := v.r.Context()
	result := url.Values{"done": {"requests_made"}}
	var made []uuid.UUID
	for _, part := range page.Parts {
		a, _ := v.application(page, part)
		q, err := v.Sharing.CreateRequest(ctx, v.principal, a)
		if err != nil {
			result.Add("failed", part.Resource.ID.String()+"."+fault.CodeOf(err))
			continue
		}
		made = append(made, part.Resource.ID)
		result.Add("request", q.ID.String())
		if v.field("then") == "submit" {
			if _, err := v.Sharing.Submit(ctx, v.principal, q.ID, q.RowVersion); err != nil {
				result.Add("kept", q.ID.String()+"."+fault.CodeOf(err))
			}
		}
	}
	if len(made) == 0 {
		result.Del("done")
	} else if err := v.Sharing.RemoveFromCart(ctx, v.principal, made...); err != nil {
		return err
	}
	return v.to(prefix+"/cart/made?"+result.Encode(), "")
}

// madePage is what became of the resources of a form.
type madePage struct {
	Rows   []requestRow
	Failed []failedPart
}

type failedPart struct{ Name, Href, Why string }

// showMade lists the requests that a form made, and what could not be made.
func (c *console) showMade(v *visit) error {
	ctx, names, q := v.r.Context(), v.names(), v.r.URL.Query()
	var all []sharing.Request
	for _, text := range bounded(q["request"]) {
		id, err := uuid.Parse(text)
		if err != nil {
			return notFound()
		}
		r, err := v.Sharing.GetRequest(ctx, v.principal, id)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	page := madePage{Rows: names.requests(all)}
	for _, list := range []string{"failed", "kept"} {
		for _, text := range bounded(q[list]) {
			name, code, _ := strings.Cut(text, ".")
			id, err := uuid.Parse(name)
			if err != nil {
				return notFound()
			}
			f := failedPart{Why: v.problem(fault.New(fault.Conflict, code, "")).Title, Href: prefix + "/cart"}
			if list == "kept" {
				f.Href = prefix + "/requests/" + name
				if at := slices.IndexFunc(page.Rows, func(r requestRow) bool { return r.ID == id }); at >= 0 {
					f.Name = page.Rows[at].Resource
				}
			} else {
				f.Name = names.resource(ctx, id)
			}
			page.Failed = append(page.Failed, f)
		}
	}
	return v.show("made", "cart.made", page)
}

// bounded keeps an address from asking for more than a form can have made.
func bounded(all []string) []string { return all[:min(len(all), sharing.CartSize)] }

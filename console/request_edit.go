package console

import (
	"strconv"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// showEditForm is the form of a request over the terms of a draft, or of a request to be completed.
func (c *console) showEditForm(v *visit) error {
	page, q, err := v.editForm()
	if err != nil {
		return err
	}
	page.Form, page.Parts[0].Choice = v.formOf(q, page.Parts[0].Resource)
	return v.drawForm(page, nil)
}

func (c *console) editRequest(v *visit) error {
	page, q, err := v.editForm()
	if err != nil {
		return err
	}
	v.read(&page)
	page.Form.Client = q.ClientID.String()
	if v.field("then") == "preview" {
		return v.drawPreview(page, v.check(page))
	}
	asked, wrong := v.askedTerms(page.Form, page.Parts[0])
	if len(wrong) > 0 {
		return v.drawForm(page, fault.InvalidFields(wrong))
	}
	// What the form does not offer stays as it was stated.
	asked.RateCalls, asked.ShareMethods = q.RateCalls, q.ShareMethods
	if page.Parts[0].KeepsRows {
		asked.RowFilter = q.RowFilter
	}
	q, err = v.Sharing.EditDraft(v.r.Context(), v.principal, q.ID, v.rowVersion(), asked)
	if err != nil {
		return v.drawForm(page, err)
	}
	return v.afterForm(q, "request_draft")
}

func (v *visit) editForm() (formPage, sharing.Request, error) {
	id, err := v.id()
	if err != nil {
		return formPage{}, sharing.Request{}, err
	}
	q, err := v.Sharing.GetRequest(v.r.Context(), v.principal, id)
	if err != nil {
		return formPage{}, q, err
	}
	page, err := v.newForm(q.ResourceID)
	if err != nil {
		return formPage{}, q, err
	}
	page.Editing, page.RowVersion, page.ClientName = true, q.RowVersion, q.ClientName
	part := &page.Parts[0]
	if !inLines(q.RowFilter, part.Resource.Version.Items) {
		part.KeepsRows, part.Words = true, v.rowsInWords(q.RowFilter, part.Resource.Version.Items)
	}
	page.Back = prefix + "/requests/" + id.String()
	page.Action, page.Keep = page.Back+"/edit", "draft-"+id.String()+"-"+strconv.FormatInt(q.RowVersion, 10)
	return page, q, nil
}

// formOf fills the form with the terms of a request.
func (v *visit) formOf(q sharing.Request, r catalog.Resource) (requestForm, choice) {
	items := v.items(r)
	identifiers := func(numbers []int) (out []string) {
		for _, no := range numbers {
			if i, ok := items[no]; ok {
				out = append(out, i.Identifier)
			}
		}
		return out
	}
	f := requestForm{
		Client: q.ClientID.String(), LegalBasis: q.LegalBasis, Scenario: q.Scenario, Purpose: q.Purpose, PurposeText: q.PurposeText,
		CaseRequired: q.CaseRequired, ValidUntil: v.formats.day(q.ValidUntil), QuotaPeriod: q.QuotaPeriod,
	}
	if q.Quota > 0 {
		f.Quota = strconv.FormatInt(q.Quota, 10)
	}
	if q.RateRows > 0 {
		f.RateRows = strconv.Itoa(q.RateRows)
	}
	return f, choice{
		Items: identifiers(q.Items), Lookup: identifiers(q.Lookup), Unmask: identifiers(q.Unmask), Conditions: conditionsOf(q.RowFilter),
	}
}

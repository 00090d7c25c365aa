package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
)

// registeredSystem is an information system that a department lists.
type registeredSystem struct{ department, name, state string }

// inUse are the information systems that departments list. The Development and Reform Commission has not listed any yet.
func inUse() []registeredSystem {
	return []registeredSystem{
		{"police", "人口信息管理系统", "live"},
		{"market", "市场主体登记系统", "live"},
		{"land", "标准地址管理系统", "live"},
		{"statistics", "统计数据管理系统", "live"},
		{"social", "社会保险信息系统", "live"},
		{"civil", "社会事务管理系统", "live"},
		{"data", "电子证照系统", "live"},
		{"civil", "救灾物资台账系统", "zombie"},
	}
}

// listSystems has every department say which systems it has, before anything is compiled from them.
func (s *story) listSystems(ctx context.Context) error {
	known, err := all[client.System](ctx, s.hub, "platform_operator", "/systems")
	if err != nil {
		return err
	}
	made := 0
	for _, y := range inUse() {
		i := slices.IndexFunc(known, func(k client.System) bool {
			return k.Name == y.name && k.DepartmentID == s.departments[y.department].ID
		})
		if i >= 0 {
			if y.state == "live" {
				s.systems[y.department] = known[i].ID
			}
			continue
		}
		var system client.System
		if err := s.hub.post(ctx, y.department+"_admin", "/systems", map[string]string{"name": y.name, "state": y.state}, &system); err != nil {
			return fmt.Errorf("registering %s: %w", y.name, err)
		}
		if y.state == "live" {
			s.systems[y.department] = system.ID
		}
		made++
	}
	if made == 0 {
		s.tell.Already("departments have listed their information systems")
		return nil
	}
	s.tell.Done("Seven departments list their information systems; the coverage page shows who has said nothing yet.")
	return nil
}

// sourceOfTruth is a data element with the entry of the department that is its source.
type sourceOfTruth struct{ element, template, reason string }

func sourcesOfTruth() []sourceOfTruth {
	return []sourceOfTruth{
		{"citizen_id", "base_population", "《中华人民共和国居民身份证法》第三条：公民身份号码由公安机关编制"},
		{"uscc", "base_legal_person", "统一社会信用代码由登记机关赋予企业（国发〔2015〕33号）"},
	}
}

// declareSources has departments say what they are the source of, and the data bureau confirm it.
func (s *story) declareSources(ctx context.Context) error {
	registered, err := all[client.ElementSource](ctx, s.hub, "platform_operator", "/element-sources")
	if err != nil {
		return err
	}
	var names []string
	for _, t := range sourcesOfTruth() {
		e := s.resources[t.template]
		if slices.ContainsFunc(registered, func(r client.ElementSource) bool { return r.Element == t.element }) {
			continue
		}
		claim, err := s.claimed(ctx, t.element, t.reason, e)
		if err != nil {
			return err
		}
		if err := s.hub.post(ctx, "platform_operator", "/duty-claims/"+claim.ID+"/approve", reason("依据充分，同意登记"), nil); err != nil {
			return fmt.Errorf("confirming the source of %s: %w", t.element, err)
		}
		names = append(names, claim.ElementName+" ("+s.departments[e.key].Name+")")
	}
	if len(names) == 0 {
		s.tell.Already("public security and market regulation are the sources of two data elements")
		return nil
	}
	s.tell.Done("One source for each data element: %s.", strings.Join(names, ", "))
	return nil
}

// claimed returns the open claim of a department, which an earlier start may have made.
func (s *story) claimed(ctx context.Context, element, why string, e *entry) (claim client.DutyClaim, err error) {
	open, err := all[client.DutyClaim](ctx, s.hub, e.admin(), "/duty-claims?state=open&element="+element)
	if err != nil {
		return claim, err
	}
	if i := slices.IndexFunc(open, func(c client.DutyClaim) bool { return c.DepartmentID == s.departments[e.key].ID }); i >= 0 {
		return open[i], nil
	}
	err = s.hub.post(ctx, e.admin(), "/duty-claims", client.NewDutyClaim{Kind: "claim", Element: element, ResourceID: e.resource.ID, Reason: why}, &claim)
	if err != nil {
		return claim, fmt.Errorf("claiming to be the source of %s: %w", element, err)
	}
	return claim, nil
}

// noteChange records something that the directory has to follow within ten working days (Order 809, Art 17).
func (s *story) noteChange(ctx context.Context) error {
	e := s.resources["base_geospatial"]
	open, err := all[client.ChangeEvent](ctx, s.hub, e.operator(), "/change-events?resource_id="+e.resource.ID)
	if err != nil {
		return err
	}
	if len(open) > 0 {
		s.tell.Already("a change that the directory has to follow is on record")
		return nil
	}
	var change client.ChangeEvent
	err = s.hub.post(ctx, e.operator(), "/resources/"+e.resource.ID+"/change-events", map[string]string{
		"cause": "duty", "detail": "地名管理职责划入本部门，标准地址须增加地名标识", "happened_on": dayOf(s.Clock()),
	}, &change)
	if err != nil {
		return fmt.Errorf("recording a change: %w", err)
	}
	s.tell.Done("A duty of the natural resources bureau changes: its entry is to follow by %s, ten working days.", dayOf(change.DueAt))
	return nil
}

// dayOf is the day of a moment where the city lies.
func dayOf(at time.Time) string { return at.In(time.FixedZone("+08:00", 8*3600)).Format(time.DateOnly) }

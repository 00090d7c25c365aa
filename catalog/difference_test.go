package catalog_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/catalog"
)

// What a department changed is said field by field and item by item, and nothing else is.
func TestCompare(t *testing.T) {
	t.Parallel()
	version := func(change func(*catalog.Version)) catalog.Version {
		v := catalog.Version{Metadata: small("示例资源"), ShareType: catalog.Conditional, Grade: catalog.L2}
		v.Items = append([]catalog.Item(nil), v.Items...)
		if change != nil {
			change(&v)
		}
		return v
	}
	for _, c := range []struct {
		name   string
		change func(*catalog.Version)
		want   []string
	}{
		{"nothing", nil, nil},
		{"numbers and states of the hub", func(v *catalog.Version) { v.Number, v.State, v.Items[0].No = 7, catalog.Published, 9 }, nil},
		{"an empty list for none", func(v *catalog.Version) { v.Tags = []string{} }, nil},
		{"a text", func(v *catalog.Version) { v.Summary = "新" }, []string{`summary "示例数据,以编号为主键,含编号、名称和备注。" "新"`}},
		{"a text taken away", func(v *catalog.Version) { v.ShareScope = "" }, []string{`share_scope "本市各部门" null`}},
		{"a list", func(v *catalog.Version) { v.Themes = []string{"公共服务"} }, []string{`themes null ["公共服务"]`}},
		{"what is derived", func(v *catalog.Version) { v.Grade = catalog.L3 }, []string{`grade "L2" "L3"`}},
		{"an item added", func(v *catalog.Version) {
			v.Items = append(v.Items, catalog.Item{Name: "新项", Identifier: "new_item"})
		}, []string{"added new_item 新项"}},
		{"an item removed", func(v *catalog.Version) { v.Items = v.Items[:2] }, []string{"removed remark 备注"}},
		{"an item renamed", func(v *catalog.Version) { v.Items[1].Name = "标题" }, []string{`changed title 标题: name "名称" "标题"`}},
		{"an item with another identifier", func(v *catalog.Version) { v.Items[2].Identifier = "note" }, []string{"added note 备注", "removed remark 备注"}},
		{
			"several fields of an item", func(v *catalog.Version) { v.Items[1].Length, v.Items[1].MaskRule = 50, "name" },
			[]string{`changed title 名称: length 100 50, mask_rule null "name"`},
		},
		{"items in another order", func(v *catalog.Version) { v.Items[0], v.Items[1] = v.Items[1], v.Items[0] }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := catalog.Compare(version(nil), version(c.change))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, told(d)); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
			if d.Empty() != (len(c.want) == 0) {
				t.Errorf("Empty is %v", d.Empty())
			}
		})
	}
}

func told(d catalog.Difference) (out []string) {
	field := func(f catalog.FieldChange) string { return fmt.Sprintf("%s %s %s", f.Name, f.Before, f.After) }
	for _, f := range d.Fields {
		out = append(out, field(f))
	}
	for _, i := range d.Items {
		line := string(i.Kind) + " " + i.Identifier + " " + i.Name
		var fields []string
		for _, f := range i.Fields {
			fields = append(fields, field(f))
		}
		if len(fields) > 0 {
			line += ": " + strings.Join(fields, ", ")
		}
		out = append(out, line)
	}
	return out
}

// Every field that a department can state is compared: one that is added to the struct is noticed by itself.
func TestCompareSeesEveryField(t *testing.T) {
	t.Parallel()
	for _, of := range []reflect.Type{reflect.TypeOf(catalog.Metadata{}), reflect.TypeOf(catalog.Item{})} {
		for i := range of.NumField() {
			f := of.Field(i)
			if f.Name == "Items" || f.Name == "ID" || f.Name == "No" {
				continue
			}
			value := reflect.New(of).Elem()
			fill(value.Field(i))
			var before, after catalog.Version
			before.Items, after.Items = []catalog.Item{{Identifier: "a"}}, []catalog.Item{{Identifier: "a"}}
			switch v := value.Interface().(type) {
			case catalog.Metadata:
				after.Metadata = v
				after.Items = before.Items
			case catalog.Item:
				if v.Identifier == "" {
					v.Identifier = "a"
				}
				after.Items = []catalog.Item{v}
			}
			d, err := catalog.Compare(before, after)
			if err != nil {
				t.Fatal(err)
			}
			if d.Empty() {
				t.Errorf("a change of %s.%s is not seen", of.Name(), f.Name)
			}
		}
	}
}

// fill gives a field some value that is not its zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Array:
		v.Index(0).SetUint(1)
	}
}

package catalog

// NotSecret is the only secrecy an entry may state: state secrets and work secrets are outside the regulation and this
// hub (Order 809, Art 2 and 3).
const NotSecret = "非涉密"

// shareRank orders the share types of items that are not withheld, the stricter the higher.
var shareRank = map[ShareType]int{Unconditional: 1, Conditional: 2}

// deriveShareType returns the strictest share type of the items that are not withheld (domain table 2.4), Withheld when
// every item is withheld, and "" when there are no items or none states a known type.
func deriveShareType(items []Item) ShareType {
	var strictest ShareType
	withheld := false
	for _, item := range items {
		if shareRank[item.ShareType] > shareRank[strictest] {
			strictest = item.ShareType
		}
		withheld = withheld || item.ShareType == Withheld
	}
	if strictest == "" && withheld {
		return Withheld
	}
	return strictest
}

// deriveGrade returns the highest grade of the items, "" when there are none.
func deriveGrade(items []Item) Grade {
	var highest Grade
	for _, item := range items {
		if validGrade(item.Grade) && item.Grade > highest {
			highest = item.Grade
		}
	}
	return highest
}

func validGrade(g Grade) bool { return g == L1 || g == L2 || g == L3 || g == L4 }

func validShareType(s ShareType) bool { return s == Unconditional || s == Conditional || s == Withheld }

// ClassCode returns the code of the primary classification, 类 + 项 + 目 + 细目 (domain rule 2.5), with 目 as 000 while it is
// not given. It is "" when there is no primary classification.
func (m Metadata) ClassCode() string {
	for _, c := range m.Classifications {
		if c.Primary {
			class3 := c.Class3
			if class3 == "" {
				class3 = "000"
			}
			return c.Class1 + c.Class2 + class3 + c.Class4
		}
	}
	return ""
}

// KeyItems returns the items that are the key, in order; nil when there are none.
func (v Version) KeyItems() []Item {
	var keys []Item
	for _, item := range v.Items {
		if item.Key {
			keys = append(keys, item)
		}
	}
	return keys
}

// Item returns the item with that identifier.
func (m Metadata) Item(identifier string) (Item, bool) {
	for _, item := range m.Items {
		if item.Identifier == identifier {
			return item, true
		}
	}
	return Item{}, false
}

// ItemNo returns the item with that number.
func (m Metadata) ItemNo(no int) (Item, bool) {
	for _, item := range m.Items {
		if item.No == no {
			return item, true
		}
	}
	return Item{}, false
}

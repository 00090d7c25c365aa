package catalog

import (
	"time"

	"github.com/google/uuid"
)

// Department is an organisation node. One per division is the sharing authority (数据主管部门).
type Department struct {
	ID           uuid.UUID `json:"id"`
	USCC         string    `json:"uscc"`
	Name         string    `json:"name"`
	NameEN       string    `json:"name_en"`
	DivisionCode string    `json:"division_code"`
	Level        string    `json:"level"` // national, province, city, county, township
	ParentID     uuid.UUID `json:"parent_id"`
	Authority    bool      `json:"authority"`
	RowVersion   int64     `json:"row_version"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
}

// System is an information system of a department that produces data (信息系统登记).
type System struct {
	ID           uuid.UUID `json:"id"`
	DepartmentID uuid.UUID `json:"department_id"`
	Name         string    `json:"name"`
	State        string    `json:"state"`   // live, zombie, single_office
	Covered      bool      `json:"covered"` // At least one published entry names it.
	RowVersion   int64     `json:"row_version"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
}

// BaseDatabase is one of the six base databases or a theme database, registered by the authority with its lead
// department and key item.
type BaseDatabase struct {
	Code         string     `json:"code"`
	Name         string     `json:"name"`
	NameEN       string     `json:"name_en"`
	Theme        bool       `json:"theme"`
	Template     string     `json:"template"`
	Sort         int        `json:"sort"` // Place in lists.
	LeadDeptID   uuid.UUID  `json:"lead_dept_id"`
	ResourceID   uuid.UUID  `json:"resource_id"`
	SourceID     uuid.UUID  `json:"source_id"`
	KeyItem      string     `json:"key_item"` // Identifier of the item that identifies its rows.
	RegisteredBy uuid.UUID  `json:"registered_by"`
	RegisteredAt *time.Time `json:"registered_at,omitempty"`
	RowVersion   int64      `json:"row_version"`
}

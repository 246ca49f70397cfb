//! The grid of a table (HTML standard, section 4.9.12, "forming a table"): which cell covers which slot, by `rowspan` and `colspan`.

use scraper::ElementRef;

/// Slots of one table.
const SLOTS_MAX: usize = 2_000_000;
/// Columns of one table.
const COLUMNS_MAX: usize = 1_000;

/// A row of a table.
pub(super) struct Row<'p> {
    pub(super) element: ElementRef<'p>,
    /// Whether it stands in `<thead>`.
    pub(super) head: bool,
    /// Whether it stands in `<tfoot>`.
    pub(super) foot: bool,
    /// By column: the cell that covers it.
    pub(super) cells: Vec<Option<ElementRef<'p>>>,
}

impl<'p> Row<'p> {
    pub(super) fn cell(&self, column: usize) -> Option<ElementRef<'p>> {
        self.cells.get(column).copied().flatten()
    }

    /// Whether every cell is a heading.
    pub(super) fn is_headings(&self) -> bool {
        let mut cells = self.cells.iter().flatten().peekable();
        cells.peek().is_some() && cells.all(|cell| cell.value().name() == "th")
    }

    /// Whether one cell covers all of it: a heading between rows, or nothing.
    pub(super) fn is_one(&self) -> bool {
        let mut cells = self.cells.iter().flatten().map(|cell| cell.id());
        let first = cells.next();
        cells.all(|cell| Some(cell) == first)
    }
}

/// A table as people see it.
pub(super) struct Grid<'p> {
    pub(super) element: ElementRef<'p>,
    pub(super) caption: Option<ElementRef<'p>>,
    pub(super) rows: Vec<Row<'p>>,
    pub(super) columns: usize,
}

impl<'p> Grid<'p> {
    /// # Errors
    /// More slots or columns than are laid out.
    pub(super) fn of(table: ElementRef<'p>) -> Result<Self, String> {
        let mut rows = own_rows(table);
        let caption = table.child_elements().find(|child| child.value().name() == "caption");
        let (mut columns, mut slots) = (0, 0);
        // By column: how many more rows its cell covers, and the cell.
        let mut covered: Vec<(usize, Option<ElementRef<'p>>)> = Vec::new();
        let count = rows.len();
        let mut section = None;
        for (number, row) in rows.iter_mut().enumerate() {
            // A cell does not grow out of its section.
            let parent = row.element.parent().map(|parent| parent.id());
            if section != parent {
                covered.clear();
                section = parent;
            }
            lay(row, &mut covered, count - number)?;
            columns = columns.max(row.cells.len());
            slots += row.cells.len();
            if slots > SLOTS_MAX {
                return Err(format!("a table has more than {SLOTS_MAX} slots"));
            }
        }
        Ok(Self { element: table, caption, rows, columns })
    }
}

/// The rows of `table` itself, head first and foot last, as they are shown.
fn own_rows(table: ElementRef<'_>) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for child in table.child_elements() {
        let (head, foot) = match child.value().name() {
            "tr" => {
                rows.push(Row { element: child, head: false, foot: false, cells: Vec::new() });
                continue;
            }
            "thead" => (true, false),
            "tfoot" => (false, true),
            "tbody" => (false, false),
            _ => continue,
        };
        rows.extend(child.child_elements().filter(|row| row.value().name() == "tr").map(|element| Row {
            element,
            head,
            foot,
            cells: Vec::new(),
        }));
    }
    rows
}

/// Puts the cells of `row` beside those that reach into it from above.
fn lay<'p>(
    row: &mut Row<'p>,
    covered: &mut Vec<(usize, Option<ElementRef<'p>>)>,
    left: usize,
) -> Result<(), String> {
    let mut cells = row.element.child_elements().filter(|cell| matches!(cell.value().name(), "td" | "th"));
    let mut column = 0;
    loop {
        match covered.get_mut(column) {
            Some((more, cell)) if *more > 0 => {
                *more -= 1;
                row.cells.push(*cell);
                column += 1;
                continue;
            }
            _ => {}
        }
        let Some(cell) = cells.next() else {
            // What reaches in from above to the right of the last cell.
            if covered.iter().skip(column).all(|(more, _)| *more == 0) {
                return Ok(());
            }
            row.cells.push(None);
            column += 1;
            continue;
        };
        let span = |name: &str, least: usize, most: usize| {
            let value = cell.attr(name).and_then(|text| text.trim().parse::<usize>().ok());
            value.filter(|value| *value >= least).unwrap_or(1).min(most)
        };
        let wide = span("colspan", 1, COLUMNS_MAX);
        let high = match span("rowspan", 0, 65_534) {
            0 => left,
            high => high.min(left),
        };
        if column + wide > COLUMNS_MAX {
            return Err(format!("a table has more than {COLUMNS_MAX} columns"));
        }
        for _ in 0..wide {
            // A cell that already reaches in from above keeps its slot.
            if let Some((more, above)) = covered.get_mut(column).filter(|(more, _)| *more > 0) {
                *more -= 1;
                row.cells.push(*above);
            } else {
                if covered.len() <= column {
                    covered.resize(column + 1, (0, None));
                }
                if let Some(slot) = covered.get_mut(column) {
                    *slot = (high.saturating_sub(1), Some(cell));
                }
                row.cells.push(Some(cell));
            }
            column += 1;
        }
    }
}

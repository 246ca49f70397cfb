//! Where selectors lead in a document that was kept: the same spelling as that of the areas beside it.

use abide_core::page::BrowseFailure;
use scraper::{ElementRef, Selector};
use url::Url;

use super::still::Document;

/// Two selectors: of a record, if there is one, and of a value, within it where it begins with `:scope`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Of the record.
    pub record: Option<&'a str>,
    /// Of the value; the record itself without one.
    pub value: Option<&'a str>,
}

/// The path of each element that is wanted, in the order in which they were asked for; none where nothing fits.
pub fn places(html: &str, url: &str, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>, BrowseFailure> {
    let failed = |why: &str| BrowseFailure::Failed(why.to_owned());
    let url = Url::parse(url).map_err(|_| failed("the document has no address"))?;
    let mut document = Document::parse(html, url)?;
    document.count_places();
    Ok(wanted.iter().map(|one| place(&document, one)).collect())
}

fn place(document: &Document, wanted: &Wanted<'_>) -> Option<String> {
    let record = wanted.record.and_then(|record| document.first(record).ok());
    let found = match (record, wanted.value) {
        (record, None) => record,
        (Some(record), Some(value)) if value.starts_with(":scope") => within(record, value),
        (_, Some(value)) => document.first(value).ok(),
    };
    found.map(|element| document.path(element))
}

fn within<'d>(record: ElementRef<'d>, value: &str) -> Option<ElementRef<'d>> {
    if value == ":scope" {
        return Some(record);
    }
    record.select(&Selector::parse(value).ok()?).next()
}

#[cfg(test)]
mod tests {
    use super::{Wanted, places};

    #[test]
    fn a_value_is_found_within_its_record() {
        let html = "<!doctype html><body><table><tr><td>a<td>1<tr><td>b<td>2</table>";
        let row = "html > body > table > tbody > tr:nth-of-type(2)";
        let wanted = [
            Wanted { record: Some(row), value: Some(":scope > td:nth-of-type(2)") },
            Wanted { record: Some(row), value: None },
            Wanted { record: None, value: Some("table") },
            Wanted { record: Some(row), value: Some(":scope > th") },
            Wanted { record: None, value: Some("not [a selector") },
        ];
        let row = "html > body:nth-child(2) > table:nth-child(1) > tbody:nth-child(1) > tr:nth-child(2)";
        assert_eq!(
            places(html, "https://a.example/", &wanted).unwrap(),
            [
                Some(format!("{row} > td:nth-child(2)")),
                Some(row.to_owned()),
                Some("html > body:nth-child(2) > table:nth-child(1)".to_owned()),
                None,
                None,
            ]
        );
    }
}

//! Forms without scripts: what was put into fields, and the request that comes of it (HTML standard, "form submission").

use abide_core::page::BrowseFailure;
use bytes::Bytes;
use ego_tree::NodeId;
use http::Method;
use scraper::ElementRef;
use url::Url;
use url::form_urlencoded::Serializer;

use super::document::{Document, failed};
use crate::egress::vault::Secret;

/// LIMIT: bytes of a value.
const VALUE_BYTES_MAX: usize = 64 << 10;

/// What stands in a field instead of what the page says.
#[derive(Debug, Clone)]
pub(super) enum Filled {
    /// A text.
    Text(String),
    /// A secret: the worker never sees it.
    Secret(Secret),
    /// Whether a box is checked.
    Checked(bool),
}

/// What a click comes to.
#[derive(Debug)]
pub(super) enum Clicked {
    /// The page itself changed, if at all.
    Here(Option<(NodeId, Filled)>),
    /// To another page.
    To(Url),
    /// With a form.
    Sent(Sending),
}

/// A form on its way.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) method: Method,
    /// With the fields in its query, for `GET`.
    pub(super) url: Url,
    /// What is judged: secrets are left out. None for `GET`.
    pub(super) told: Option<Bytes>,
    /// What is sent.
    pub(super) body: Option<Bytes>,
    /// Whether there is a secret in it.
    pub(super) has_secret: bool,
}

fn scripted(what: &str) -> BrowseFailure {
    BrowseFailure::NeedsBrowser(format!("{what}, and this host has no browser"))
}

/// What a click on `element` comes to without scripts.
pub(super) fn click(document: &Document, element: ElementRef<'_>) -> Result<Clicked, BrowseFailure> {
    let around = || std::iter::once(element).chain(element.ancestors().filter_map(ElementRef::wrap));
    let listens = |one: &ElementRef<'_>| {
        ["onclick", "onmousedown", "onmouseup", "onpointerdown"].iter().any(|name| one.attr(name).is_some())
    };
    if around().any(|one| listens(&one)) {
        return Err(scripted("a script waits for this click"));
    }
    let acts = ["a", "area", "button", "input", "select", "option", "label", "summary"];
    let Some(one) = around().find(|one| acts.contains(&one.value().name())) else {
        return Err(scripted("nothing comes of this click but by a script"));
    };
    match one.value().name() {
        "a" | "area" => follow(document, one),
        "button" | "input" => press(document, one),
        _ => Err(scripted("what comes of this click is the browser's")),
    }
}

fn follow(document: &Document, link: ElementRef<'_>) -> Result<Clicked, BrowseFailure> {
    let Some(href) = link.attr("href").map(str::trim) else {
        return Err(scripted("a link without an address does something by a script"));
    };
    if href.starts_with('#') {
        return Ok(Clicked::Here(None));
    }
    if href
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .take(11)
        .collect::<String>()
        .eq_ignore_ascii_case("javascript:")
    {
        return Err(scripted("the link is a script"));
    }
    if link.attr("download").is_some() {
        return Err(failed("the link is a download"));
    }
    let url = document.resolve(href).ok_or_else(|| failed("the link leads to no address"))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(failed(format!("the link leads to `{}:`", url.scheme())));
    }
    Ok(Clicked::To(url))
}

fn press(document: &Document, button: ElementRef<'_>) -> Result<Clicked, BrowseFailure> {
    if is_disabled(button) {
        return Err(failed("it is disabled"));
    }
    match kind(button).as_str() {
        "submit" | "image" => {
            let form = form_of(document, button)
                .ok_or_else(|| scripted("a button without a form does something by a script"))?;
            submit(document, form, Some(button)).map(Clicked::Sent)
        }
        "checkbox" => {
            let now = is_checked(document, button);
            Ok(Clicked::Here(Some((button.id(), Filled::Checked(!now)))))
        }
        "radio" => Ok(Clicked::Here(Some((button.id(), Filled::Checked(true))))),
        "text" | "search" | "email" | "tel" | "url" | "number" | "password" => Ok(Clicked::Here(None)),
        _ => Err(scripted("this button does something by a script")),
    }
}

/// The kind of a control, lower case.
fn kind(control: ElementRef<'_>) -> String {
    let said = control.attr("type").unwrap_or_default().to_ascii_lowercase();
    let known = [
        "button",
        "checkbox",
        "color",
        "date",
        "datetime-local",
        "email",
        "file",
        "hidden",
        "image",
        "month",
        "number",
        "password",
        "radio",
        "range",
        "reset",
        "search",
        "submit",
        "tel",
        "time",
        "url",
        "week",
    ];
    match control.value().name() {
        "button" if ["button", "reset"].contains(&said.as_str()) => said,
        "button" => "submit".to_owned(),
        "input" if known.contains(&said.as_str()) => said,
        "input" => "text".to_owned(),
        other => other.to_owned(),
    }
}

fn is_disabled(control: ElementRef<'_>) -> bool {
    let fieldsets = control.ancestors().filter_map(ElementRef::wrap);
    control.attr("disabled").is_some()
        || fieldsets.into_iter().any(|one| one.value().name() == "fieldset" && one.attr("disabled").is_some())
}

/// Whether something can be put into the field.
pub(super) fn fillable(element: ElementRef<'_>, value: &str) -> Result<(), BrowseFailure> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(failed("a value has 65,536 bytes at most"));
    }
    if is_disabled(element) || element.attr("readonly").is_some() {
        return Err(failed("the field is not to be filled in"));
    }
    match kind(element).as_str() {
        "select" => {
            let options = element.descendent_elements().filter(|one| one.value().name() == "option");
            options
                .into_iter()
                .any(|option| value_of_option(option) == value)
                .then_some(())
                .ok_or_else(|| BrowseFailure::NotFound(format!("the list has no `{value}`")))
        }
        "textarea" | "text" | "search" | "email" | "tel" | "url" | "number" | "password" | "date"
        | "datetime-local" | "month" | "time" | "week" | "color" | "range" => Ok(()),
        _ => Err(failed("it is no field that takes a text")),
    }
}

fn form_of<'a>(document: &'a Document, control: ElementRef<'a>) -> Option<ElementRef<'a>> {
    if let Some(id) = control.attr("form") {
        return document.elements().find(|one| one.value().name() == "form" && one.value().id() == Some(id));
    }
    control.ancestors().filter_map(ElementRef::wrap).find(|one| one.value().name() == "form")
}

fn is_checked(document: &Document, control: ElementRef<'_>) -> bool {
    match document.filled.get(&control.id()) {
        Some(Filled::Checked(is)) => *is,
        Some(Filled::Text(_) | Filled::Secret(_)) | None => control.attr("checked").is_some(),
    }
}

/// Of radio buttons with one name, the one that was clicked last; none of the others counts.
fn counts(document: &Document, form: ElementRef<'_>, control: ElementRef<'_>) -> bool {
    if kind(control) != "radio" || document.filled.contains_key(&control.id()) {
        return is_checked(document, control);
    }
    let rival = |one: ElementRef<'_>| {
        kind(one) == "radio"
            && one.attr("name") == control.attr("name")
            && document.filled.contains_key(&one.id())
    };
    let has_rival = !document.filled.is_empty() && controls(document, form).into_iter().any(rival);
    !has_rival && is_checked(document, control)
}

fn controls<'a>(document: &'a Document, form: ElementRef<'a>) -> Vec<ElementRef<'a>> {
    let names = ["input", "select", "textarea", "button"];
    let inner = form
        .descendent_elements()
        .filter(|one| names.contains(&one.value().name()) && one.attr("form").is_none());
    let Some(id) = form.value().id() else { return inner.collect() };
    // Those that name the form stand anywhere.
    let is_own = |one: &ElementRef<'_>| {
        names.contains(&one.value().name())
            && match one.attr("form") {
                Some(said) => said == id,
                None => one.ancestors().any(|within| within.id() == form.id()),
            }
    };
    document.elements().filter(is_own).collect()
}

/// What is sent when the form is.
fn submit(
    document: &Document,
    form: ElementRef<'_>,
    by: Option<ElementRef<'_>>,
) -> Result<Sending, BrowseFailure> {
    if form.attr("onsubmit").is_some() {
        return Err(scripted("a script waits for this form"));
    }
    let said = |own: &str, formed: &str| {
        let own = by.and_then(|by| by.attr(formed)).or_else(|| form.attr(own));
        own.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let action = said("action", "formaction");
    let mut url = match &action {
        Some(action) => document.resolve(action).ok_or_else(|| failed("the form leads to no address"))?,
        None => document.url.clone(),
    };
    url.set_fragment(None);
    if url.scheme() == "javascript" {
        return Err(scripted("the form is sent to a script"));
    }
    if !["http", "https"].contains(&url.scheme()) {
        return Err(failed(format!("the form leads to `{}:`", url.scheme())));
    }
    let coding = said("enctype", "formenctype").unwrap_or_default().to_ascii_lowercase();
    let fields = fields(document, form, by);
    let has_secret = fields.iter().any(|(_, value)| matches!(value, Filled::Secret(_)));
    // What was opened for this page's own host goes to no other.
    if has_secret && url.origin() != document.url.origin() {
        return Err(BrowseFailure::Refused("a form with a secret is sent to another host".to_owned()));
    }
    match said("method", "formmethod").unwrap_or_default().to_ascii_lowercase().as_str() {
        "post" if ["multipart/form-data", "text/plain"].contains(&coding.as_str()) => {
            Err(scripted("the form is sent in parts"))
        }
        "post" => {
            let (told, body) = (encoded(&fields, false)?, encoded(&fields, true)?);
            let (told, body) = (Some(told.into()), Some(body.into()));
            Ok(Sending { method: Method::POST, url, told, body, has_secret })
        }
        "dialog" => Err(scripted("the form closes a dialogue")),
        _ if has_secret => {
            Err(BrowseFailure::Refused("a secret stands in no address: the form is sent by GET".to_owned()))
        }
        _ => {
            url.set_query(Some(&encoded(&fields, true)?));
            Ok(Sending { method: Method::GET, url, told: None, body: None, has_secret })
        }
    }
}

/// Names and values in the order of the document.
fn fields(document: &Document, form: ElementRef<'_>, by: Option<ElementRef<'_>>) -> Vec<(String, Filled)> {
    let mut fields = Vec::new();
    for control in controls(document, form) {
        let Some(name) = control.attr("name").filter(|name| !name.is_empty()) else { continue };
        let is_by = by.is_some_and(|by| by.id() == control.id());
        if is_disabled(control) {
            continue;
        }
        let own = |instead: &str| Filled::Text(control.attr("value").unwrap_or(instead).to_owned());
        let mut add = |value: Filled| fields.push((name.to_owned(), value));
        match kind(control).as_str() {
            "submit" if is_by => add(own("")),
            "checkbox" | "radio" if counts(document, form, control) => add(own("on")),
            "submit" | "image" | "button" | "reset" | "file" | "checkbox" | "radio" => {}
            "select" => chosen(document, control).into_iter().for_each(|value| add(Filled::Text(value))),
            "textarea" => match document.filled.get(&control.id()) {
                Some(filled) => add(filled.clone()),
                None => add(Filled::Text(control.text().collect::<String>().replace('\n', "\r\n"))),
            },
            _ => match document.filled.get(&control.id()) {
                Some(filled) => add(filled.clone()),
                None => add(own("")),
            },
        }
    }
    fields
}

fn value_of_option(option: ElementRef<'_>) -> String {
    let said = option.attr("value").map(str::to_owned);
    said.unwrap_or_else(|| super::read::one_line(&option.text().collect::<String>()))
}

fn chosen(document: &Document, list: ElementRef<'_>) -> Vec<String> {
    if let Some(Filled::Text(value)) = document.filled.get(&list.id()) {
        return vec![value.clone()];
    }
    let is_open = |option: &ElementRef<'_>| option.value().name() == "option" && !is_disabled(*option);
    let options: Vec<ElementRef<'_>> = list.descendent_elements().filter(is_open).collect();
    let selected = options.iter().filter(|option| option.attr("selected").is_some());
    let selected: Vec<String> = selected.map(|option| value_of_option(*option)).collect();
    match (list.attr("multiple"), selected.last()) {
        (Some(_), _) => selected,
        // Of several that say so, the last one is.
        (None, Some(newest)) => vec![newest.clone()],
        (None, None) => options.first().map(|option| value_of_option(*option)).into_iter().collect(),
    }
}

fn encoded(fields: &[(String, Filled)], with_secrets: bool) -> Result<String, BrowseFailure> {
    let mut out = Serializer::new(String::new());
    for (name, value) in fields {
        match value {
            Filled::Text(text) => out.append_pair(name, text),
            Filled::Checked(_) => &mut out,
            Filled::Secret(_) if !with_secrets => out.append_pair(name, "(redacted)"),
            Filled::Secret(secret) => {
                let text =
                    std::str::from_utf8(secret.expose()).map_err(|_| failed("the secret is no text"))?;
                out.append_pair(name, text)
            }
        };
    }
    Ok(out.finish())
}

#[cfg(test)]
mod tests;

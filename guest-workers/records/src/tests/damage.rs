//! Pages that are broken, built from pieces of HTML or of anything: no panic, the same answer twice, and whatever is found stands where it says.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const PIECES: [&str; 44] = [
    "<table>",
    "</table>",
    "<tr>",
    "</tr>",
    "<th>Name",
    "<th>Price",
    "<td>Bolt",
    "<td rowspan=2>1.50",
    "<td colspan=3>2",
    "<thead>",
    "<tfoot>",
    "<caption>c",
    "<ul>",
    "<li class=item>",
    "</ul>",
    "<b>Name:</b> Nut ",
    "<b>Price:</b> 3",
    "<dl><dt>Name<dd>Pin<dt>Price<dd>4</dl>",
    "<div itemscope itemtype=https://schema.org/Product>",
    "<span itemprop=name>Cog</span>",
    "<meta itemprop=price content=5>",
    "</div>",
    "<script type='application/ld+json'>{\"@type\":\"Product\",\"name\":\"Gear\",\"offers\":{\"price\":\"6\"}}</script>",
    "<script type='application/ld+json'>[{\"name\":\"A\",\"price\":[1,2]},{\"name\":{\"@value\":\"B\"},\"price\":3}]</script>",
    "<meta property=og:type content=product>",
    "<meta property=og:title content=Name>",
    "<meta name=price content=7>",
    "<a href='?x'>",
    "<h3>Rod</h3>",
    "<p class=price>8</p>",
    "<template>",
    "</template>",
    "<b><i></b></i>",
    "<form><form>",
    "<svg><title>",
    "</svg>",
    "<math><mi>",
    "<select><option>",
    "<!--",
    "-->",
    "<plaintext",
    "&amp;&#x202e;\u{0}",
    "<div hidden>",
    "<base href='https://b.example/'>",
];

fn look(html: &str) {
    let pages = [page("https://shop.example/", html), page("https://shop.example/2", html)];
    let schema = json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "price": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}}, "url": {"type": "string", "format": "uri"},
        "offers": {"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}}}});
    let hints = [
        json!({}),
        json!({"record": "li, tr", "fields": {"name": {"selector": "b, td"}}}),
        json!({"page": true, "strategies": ["open-graph"]}),
    ];
    let alone = crate::Strategy::ALL.iter().map(|strategy| json!({"strategies": [strategy.name()]}));
    for hints in hints.into_iter().chain(alone) {
        let ask = ask(&schema, &hints);
        let found = extract(&pages, &ask);
        assert_eq!(found, extract(&pages, &ask));
        if let Ok(found) = found {
            holds(&pages, &schema, &found);
            let out = files(&found, &ask, "a.jsonl");
            assert_eq!(out.records.lines().count(), found.records.len());
            let same = compare(&out.records, &found, &ask);
            assert_eq!((same.added, same.changed, same.vanished.len()), (0, 0, 0), "{same:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn of_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..60)) {
        look(&pieces.concat());
    }

    #[test]
    fn of_pieces_cut_anywhere(pieces in prop::collection::vec((prop::sample::select(PIECES.to_vec()), 0..200_usize), 0..40)) {
        let cut = |(piece, at): &(&str, usize)| piece.chars().take(*at % 64).collect::<String>();
        look(&pieces.iter().map(cut).collect::<String>());
    }

    #[test]
    fn of_anything(text in "\\PC{0,400}") {
        look(&text);
    }
}

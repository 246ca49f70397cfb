use super::*;

#[test]
fn plain_addresses_are_read_as_written() {
    for text in [
        "https://docs.example.org/",
        "https://docs.example.org/a/b.html?x=1&y=%20z",
        "http://127.0.0.1:8080/",
        "http://[::1]:8080/a",
        "https://xn--bcher-kva.example/%C3%BC",
        "https://a.example/dir/",
        "https://a.example/?",
    ] {
        assert_eq!(Target::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Target::parse("https://a.example:443/x").unwrap().to_string(), "https://a.example/x");
    assert_eq!(Target::parse("http://a.example").unwrap().path, "/");
}

#[test]
fn what_has_two_readings_is_refused() {
    for text in [
        // One host, many spellings.
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.1/",
        "http://127.0.1/",
        "http://127.0.0.1./",
        "http://0/",
        "http://127.0.0.1%2f@a.example/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::1%25lo]/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://%31%32%37.0.0.1/",
        "http://EXAMPLE.com/",
        "http://example.com./",
        "http://exa_mple..com/",
        "http://bücher.example/",
        // Users.
        "http://a@b.example/",
        "http://a:b@c.example/",
        "http://@b.example/",
        "https://good.example\\@evil.example/",
        // Paths.
        "http://a.example/x/../y",
        "http://a.example/x/./y",
        "http://a.example/x/%2e%2e/y",
        "http://a.example/x/.%2E/y",
        "http://a.example//x",
        "http://a.example/x//y",
        "http://a.example/x%2fy",
        "http://a.example/x%5Cy",
        "http://a.example/x\\y",
        "http://a.example/x%00",
        "http://a.example/x%0d%0aHost:b",
        "http://a.example/%61dmin",
        "http://a.example/%252e%252e/",
        "http://a.example/x/..;/y",
        "http://a.example/%zz",
        "http://a.example/%",
        "http://a.example/#f",
        "http://a.example/?x=%00",
        // Not an address, or not this kind.
        "a.example/x",
        "//a.example/",
        "http:/a.example/",
        "http:a.example/",
        "http:///a.example/",
        "http:\\\\a.example/",
        "HTTP://a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "gopher://a.example/",
        "http://a.example:0/",
        "http://a.example:080/",
        "http://a.example:/",
        "http://a.example:99999/",
        "http://a.example/ x",
        "http://a.example/\tx",
        "http://a.exa\nmple/",
        "http://a.example/\r\nHost: b",
        "",
    ] {
        assert!(Target::parse(text).is_err(), "{text:?} was read as {:?}", Target::parse(text));
    }
    assert!(Target::parse(&format!("http://a.example/{}", "x".repeat(9_000))).is_err());
}

#[test]
fn an_authority_always_names_its_port() {
    let origin = |text| Origin::parse(text).map(|origin| origin.to_string());
    assert_eq!(origin("connect://a.example:443").unwrap(), "connect://a.example:443");
    assert_eq!(origin("https://[2606:4700::1]:443").unwrap(), "https://[2606:4700::1]:443");
    for bad in [
        "https://a.example",
        "https://[::1]",
        "a.example:443",
        "ssh://a.example:22",
        "https://a.example:443/",
        "https://u@a.example:443",
        "https://a.example:443?x",
    ] {
        assert!(origin(bad).is_err(), "{bad}");
    }
}

proptest::proptest! {
    /// What is read is what is written, whatever is thrown at it.
    #[test]
    fn an_address_that_is_read_writes_itself(text in "https?://[a-zA-Z0-9.%:@\\[\\]_-]{1,24}(/[a-zA-Z0-9./%;\\\\~-]{0,24})?(\\?[a-z=&%0-9]{0,12})?") {
        if let Ok(target) = Target::parse(&text) {
            let again = Target::parse(&target.to_string()).unwrap();
            proptest::prop_assert_eq!(&again, &target);
            proptest::prop_assert!(text.contains(&target.origin.host), "{} in {}", target.origin.host, text);
            proptest::prop_assert!(target.path == "/" || text.contains(&target.path));
        }
    }
}

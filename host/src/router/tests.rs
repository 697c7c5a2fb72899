use super::Pattern;

#[test]
fn patterns_match_whole_texts() {
    let cases = [
        ("job.completed", "job.completed", true),
        ("job.completed", "job.completed.now", false),
        ("job.completed", "a.job.completed", false),
        ("job.*", "job.completed", true),
        ("job.*", "job.", true),
        ("job.*", "job", false),
        ("*", "", true),
        ("**", "x", true),
        ("*.completed", "job.completed", true),
        ("*.completed", "job.completed.x", false),
        ("/a/*/c/*/e", "/a/b/c/d/e", true),
        ("/a/*/c/*/e", "/a/b/c/e", false),
        // The last piece may not overlap what an earlier piece took.
        ("ab*ba", "aba", false),
        ("a*b*b", "ab", false),
        ("a*b*b", "abb", true),
        ("*é*", "café!", true),
    ];
    for (pattern, text, expected) in cases {
        let parsed = Pattern::parse(pattern).expect(pattern);
        assert_eq!(parsed.matches(text), expected, "{pattern} on {text}");
        assert_eq!(parsed.to_string(), pattern);
    }
}

#[test]
fn patterns_are_neither_empty_nor_endless() {
    assert!(Pattern::parse("").is_err());
    assert!(Pattern::parse(&"a".repeat(super::MAX_PATTERN)).is_ok());
    assert!(Pattern::parse(&"a".repeat(super::MAX_PATTERN + 1)).is_err());
}

//! `sangam.toml`. Whatever is wrong with it is said in its place; what is right makes a revision that reads back as the same.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sangam::config::{Outside, parse, parse_revision};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let env = |name: &str| (!name.is_empty()).then(|| "value".to_owned());
    let file = |_: &Path| Ok("{}".to_owned());
    let outside = Outside { env: &env, file: &file };
    let base = Path::new("/base");
    match parse(text, "sangam.toml", base, &outside) {
        Ok(loaded) => {
            let again = parse_revision(loaded.revision_content(), base, &outside)
                .unwrap_or_else(|problems| panic!("a stored revision is refused: {problems}"));
            assert_eq!(again.revision_digest(), loaded.revision_digest(), "read back it is another revision");
        }
        Err(problems) => {
            assert!(problems.has_errors(), "refused without a reason");
            assert!(!problems.to_string().is_empty());
        }
    }
});

//! Who runs this program, by what the operating system says: not by an environment that anybody can set.

/// Longest name taken over.
const MOST_NAME: usize = 64;

/// Number and name of the user. The name is empty where the machine's own list does not have it.
pub(super) fn user() -> (String, String) {
    let number = rustix::process::getuid().as_raw().to_string();
    let list = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    (number.clone(), named(&list, &number).unwrap_or_default().chars().take(MOST_NAME).collect())
}

/// `name:password:number:…` in each line.
fn named<'a>(list: &'a str, number: &str) -> Option<&'a str> {
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(number)).then_some(name)
    })
}

/// The machine's name, as Linux or else a file that most systems have says it.
pub(super) fn machine() -> String {
    let name = ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|file| std::fs::read_to_string(file).ok());
    name.unwrap_or_default().trim().chars().take(MOST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_name_that_the_machine_gives_it() {
        let list = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!((named(list, "1000"), named(list, "0"), named(list, "7")), (Some("anna"), Some("root"), None));
    }
}

//! `limits` of plugins, and `[engine]`.

use super::*;

fn limits(text: &str) -> Limits {
    valid(&format!("[plugins.p]\ncomponent='p.wasm'\nlimits={{{text}}}\n")).config.plugins["p"].limits
}

#[test]
fn each_limit_is_an_option_with_a_default() {
    assert_eq!(limits(""), Limits::default());
    let all = limits(
        "memory='1MiB',table-elements=2,handles=3,time='4s',cpu='5ms',host-call-size='6KiB',http-calls=7,response-size='8B',output-size='9B',\
         events=10,events-size='11B',log-size='12B',key-value-calls=13,key-value-transfer='14B',key-value-size='15B'",
    );
    let wanted = Limits {
        memory: 1 << 20,
        table_elements: 2,
        handles: 3,
        time: Duration::from_secs(4),
        cpu: Duration::from_millis(5),
        host_call_size: 6 << 10,
        http_calls: 7,
        response_size: 8,
        output_size: 9,
        events: 10,
        events_size: 11,
        log_size: 12,
        key_value_calls: 13,
        key_value_transfer: 14,
        key_value_size: 15,
    };
    assert_eq!(all, wanted);
}

#[test]
fn a_limit_has_a_unit_and_bounds() {
    let mistake = |text: &str| mistakes(&format!("[plugins.p]\ncomponent='p.wasm'\nlimits={{{text}}}\n")).join("; ");
    for (text, words) in [
        ("table-elements=1_000_001", "must be from 0 to 1000000"),
        ("handles='many'", "must be a whole number"),
        ("host-call-size=5", "is a size and needs a unit"),
        ("log-size='17MiB'", "must be from 1B to 16MiB"),
        ("key-value-size='0B'", "must be from 1B to 16GiB"),
        ("events=10_001", "must be from 0 to 10000"),
        ("table-element=5", "unknown key `table-element`"),
    ] {
        assert!(mistake(text).contains(words), "{text}: {}", mistake(text));
    }
}

#[test]
fn compiling_has_limits_of_the_host() {
    assert_eq!(valid("").config.engine, Engine::default());
    let own = valid(
        "[engine]\ncomponent-size='1MiB'\ncompile-time='2s'\ncompile-memory='64MiB'\ncompile-processes=3\ncache='code'\ncache-size='5MiB'\n\
         ahead-memory='1GiB'\nahead-idle='5s'\n",
    );
    let wanted = Engine {
        component_size: 1 << 20,
        compile_time: Duration::from_secs(2),
        compile_memory: 64 << 20,
        compile_processes: Some(3),
        cache: Some(own.config.base.join("code")),
        cache_size: 5 << 20,
        ahead_memory: 1 << 30,
        ahead_idle: Duration::from_secs(5),
    };
    assert_eq!(own.config.engine, wanted);
    assert_eq!(own.revision_content(), valid("").revision_content(), "it is no part of a revision");
    for (line, words) in [
        ("compile-memory='1MiB'", "must be from 64MiB"),
        ("compile-processes=0", "must be from 1 to 64"),
        ("cache-size='1KiB'", "must be from 1MiB"),
        ("cache=''", "names no folder"),
        ("ahead-idle='1ms'", "must be from 100ms"),
    ] {
        let found = mistakes(&format!("[engine]\n{line}\n")).join("");
        assert!(found.contains(words), "{line}: {found}");
    }
}

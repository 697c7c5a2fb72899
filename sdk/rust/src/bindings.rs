//! What wit-bindgen makes of the contract.
//!
//! Each interface that a plugin may export has a world of its own here, since the macros that wit-bindgen exports are
//! named for the interface and can't be made twice in a crate. `export!` combines them, and the linker joins their types
//! into the contract's `connector`, `source` or `duplex`.

// The generated code is the one place with unsafe: it lowers and lifts the values of the canonical ABI.
#![allow(unsafe_code, unsafe_op_in_unsafe_fn, missing_docs, unused_qualifications, rust_2018_idioms, clippy::all)]

mod imports {
    wit_bindgen::generate!({ path: "wit", world: "imports", generate_all });
}

pub mod plugin {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package sangam:sdk; world plugin { export sangam:connector/plugin@0.1.0; }",
        world: "sangam:sdk/plugin",
        pub_export_macro: true,
        export_macro_name: "export_plugin",
        default_bindings_module: "sangam_sdk::__private::bindings::plugin",
    });
    pub use exports::sangam::connector::plugin::*;
}

pub mod actions {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package sangam:sdk; world actions { export sangam:connector/actions@0.1.0; }",
        world: "sangam:sdk/actions",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_actions",
        default_bindings_module: "sangam_sdk::__private::bindings::actions",
    });
    pub use exports::sangam::connector::actions::*;
}

pub mod events {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package sangam:sdk; world events { export sangam:connector/events@0.1.0; }",
        world: "sangam:sdk/events",
        with: { "sangam:connector/types@0.1.0": super::actions::sangam::connector::types },
        pub_export_macro: true,
        export_macro_name: "export_events",
        default_bindings_module: "sangam_sdk::__private::bindings::events",
    });
    pub use exports::sangam::connector::events::*;
}

pub mod batches {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package sangam:sdk; world batches { export sangam:connector/batches@0.1.0; }",
        world: "sangam:sdk/batches",
        with: { "sangam:connector/types@0.1.0": super::actions::sangam::connector::types },
        pub_export_macro: true,
        export_macro_name: "export_batches",
        default_bindings_module: "sangam_sdk::__private::bindings::batches",
    });
    pub use exports::sangam::connector::batches::*;
}

pub use actions::sangam::connector::types;
pub use imports::sangam::connector::{http, key_value, log};

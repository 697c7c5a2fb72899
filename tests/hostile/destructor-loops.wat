;; Has a resource of its own, whose destructor loops: it runs when the guest lets go of one.
(module
  (import "[export]test:hostile/things" "[resource-new]thing" (func $new (param i32) (result i32)))
  (import "[export]test:hostile/things" "[resource-drop]thing" (func $drop (param i32)))
  {{memory}} {{realloc}} {{describe}} {{done}}
  (func (export "test:hostile/things#[dtor]thing") (param i32) (loop $again (br $again)))
  (func (export "sangam:connector/actions@0.1.0#invoke") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $drop (call $new (i32.const 7)))
    (call $done (i32.const 0) (i32.const 0))))

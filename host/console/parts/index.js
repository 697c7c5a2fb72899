// Every shared part, from one place.
export { Button, LinkButton } from "./button.js";
export { Code, Copy } from "./code.js";
export { ask, Confirmations, Dialog } from "./dialog.js";
export { Checkbox, Field, Input, Select, TextArea } from "./field.js";
export { Icon } from "./icon.js";
export { JsonView } from "./json-view.js";
export { Empty, Loading, Page, Section } from "./page.js";
export { LoadMore, Progress } from "./pager.js";
export { Problem } from "./problem.js";
export { Status } from "./status.js";
export { Table } from "./table.js";
export { Tabs } from "./tabs.js";
export { Text } from "./text.js";
export { Duration, RelativeTime } from "./time.js";
export { Timeline } from "./timeline.js";
export { announce, toast, Toasts } from "./toast.js";

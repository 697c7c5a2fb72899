// The order of values in a column: numbers and times by size, all else as text; what is not there comes last.

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

export const compare = (one, other) => {
  if (one === other) return 0;
  if (one === null || one === undefined) return 1;
  if (other === null || other === undefined) return -1;
  if (typeof one === "number" && typeof other === "number") return one - other;
  // As texts, a whole second would come after all of its fractions.
  if (TIME.test(one) && TIME.test(other)) return Date.parse(one) - Date.parse(other);
  return String(one).localeCompare(String(other));
};

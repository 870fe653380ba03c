/** `matrix:` of a step: one step for each combination of values. */

export interface MatrixCell {
  /** `unit-17`, or with several keys `unit-17-alpine`. */
  name: string;
  /** `matrix.java` → `17` */
  variables: Record<string, string>;
}

/** The cells of a step in the order of the file; the step itself where it has no matrix. */
export function matrixCells(name: string, matrix: Readonly<Record<string, readonly string[]>> = {}): MatrixCell[] {
  let cells: MatrixCell[] = [{ name, variables: {} }];
  for (const [key, values] of Object.entries(matrix)) {
    cells = cells.flatMap((cell) =>
      values.map((value) => ({
        name: `${cell.name}-${asName(value)}`,
        variables: { ...cell.variables, [`matrix.${key}`]: value },
      })),
    );
  }
  return cells;
}

const asName = (value: string): string => value.toLowerCase().replace(/[^a-z0-9]+/g, '-');

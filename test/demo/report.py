"""What the demos print."""


def step(text):
    print(f"== {text}", flush=True)


def print_table(heads, rows):
    """Rows of text below their heads, in columns."""
    widths = [max(len(row[column]) for row in [heads] + rows) for column in range(len(heads))]
    print()
    for row in [heads] + rows:
        print("   " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print(flush=True)

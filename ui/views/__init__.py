"""The pages. Each has a function `render(say, client)`."""

"""Result files and the HTML report."""

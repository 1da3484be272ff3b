"""A track file that ends without serving."""

print("all done")

"""Its place puts tests/ on the import path, so that the tests of every room share toy_sky."""
